//! Tests of the adapter through its public face, on a small vocabulary and on the SQL family's.

mod answers;
mod bundles;
mod fixture;
mod reloads;
mod reveals;
mod samples;
mod schemas;
mod tried;
mod worlds;
