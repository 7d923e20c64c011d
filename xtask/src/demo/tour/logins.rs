//! Who gets in, and who does not. Each refusal is told from a gate that lets nobody in by a login
//! of the same person that differs in one thing alone.

use anyhow::ensure;
use portcullis_testkit::issuer::{Claims, Forgery};

use super::expect;
use crate::demo::people::{AGENT, INTERN};
use crate::demo::scene::{Said, Scene, Tls, finish};

const INSIDE: &str = "SELECT 'inside' FROM products WHERE id = 1;";
/// How psql ends when it cannot connect.
const NOT_CONNECTED: i32 = 2;

pub(super) fn wrong_audience(scene: &Scene) -> anyhow::Result<()> {
    refused(scene, &scene.issuer.mint(&AGENT.claims().audience("another-gate")), "[unidentified]")
}

pub(super) fn expired(scene: &Scene) -> anyhow::Result<()> {
    // Without the day's length, which would still cover the present.
    refused(scene, &scene.issuer.mint(&Claims::new("agent").groups(["agents"]).expired()), "[token-expired]")
}

pub(super) fn forged(scene: &Scene) -> anyhow::Result<()> {
    for forgery in [Forgery::Tampered, Forgery::ForeignKey, Forgery::AlgNone, Forgery::HmacWithPublicKey] {
        refused(scene, &scene.issuer.forge(forgery, &AGENT.claims()), "[unidentified]")?;
    }
    Ok(())
}

pub(super) fn no_subject(scene: &Scene) -> anyhow::Result<()> {
    refused(scene, &scene.issuer.mint(&AGENT.claims().without("sub")), "[unidentified]")
}

pub(super) fn unknown_group(scene: &Scene) -> anyhow::Result<()> {
    let said = scene.psql(INTERN.name, &scene.issuer.mint(&INTERN.claims()), INSIDE)?;
    is_refusal(&said, "[policy-denied]")?;
    welcome(scene)
}

pub(super) fn plaintext(scene: &Scene) -> anyhow::Result<()> {
    let token = scene.issuer.mint(&AGENT.claims());
    let said = finish(scene.begin(AGENT.name, &token, INSIDE, Tls::Never)?)?;
    is_refusal(&said, "TLS")?;
    welcome(scene)
}

/// That the agent does not get in with this token, but with its own.
fn refused(scene: &Scene, token: &str, why: &str) -> anyhow::Result<()> {
    is_refusal(&scene.psql(AGENT.name, token, INSIDE)?, why)?;
    welcome(scene)
}

fn is_refusal(said: &Said, why: &str) -> anyhow::Result<()> {
    ensure!(said.code == Some(NOT_CONNECTED), "psql ended with {:?}: `{}`, `{}`", said.code, said.output, said.errors);
    expect(said, "", &["FATAL", why])
}

fn welcome(scene: &Scene) -> anyhow::Result<()> {
    expect(&scene.psql(AGENT.name, &scene.issuer.mint(&AGENT.claims()), INSIDE)?, "inside", &[])
}
