//! The test vectors of docs/recording.md: files that were written once, and what is to be read in them.
