//! What is shown to the control API: a token that was given, or that of a login, refreshed before it ends.

use std::io::Read;
use std::path::Path;

use portcullis_core::secret::Secret;

use super::provider::seconds_now;
use super::{Login, Provider, Store};
use crate::output::Failure;

/// The longest token, in bytes.
const MAX_TOKEN: u64 = 64 << 10;

/// Names the token.
const TOKEN: &str = "PORTCULLIS_TOKEN";

/// A token that ends within this time is refreshed before it is used, in seconds.
const NEAR: u64 = 120;

/// Who asks.
pub(crate) enum Credential {
    /// Whoever this token names.
    Given(Secret<String>),
    /// Whoever logged in.
    Login(Store),
}

impl Credential {
    /// From a file, else from the environment, else from a login.
    pub(crate) fn find(file: Option<&Path>, store: Store) -> Result<Self, Failure> {
        if let Some(file) = file {
            let failed = |why| Failure::Said(format!("the token in `{}` cannot be read: {why}", file.display()));
            let mut token = String::new();
            let opened = std::fs::File::open(file).map_err(failed)?;
            opened.take(MAX_TOKEN).read_to_string(&mut token).map_err(failed)?;
            return Self::given(&Secret::new(token));
        }
        match std::env::var(TOKEN) {
            Ok(token) => Self::given(&Secret::new(token)),
            Err(std::env::VarError::NotPresent) => Ok(Self::Login(store)),
            Err(why) => Err(Failure::Said(format!("`{TOKEN}` cannot be read: {why}"))),
        }
    }

    fn given(token: &Secret<String>) -> Result<Self, Failure> {
        match token.expose().trim() {
            "" => Err(Failure::Said(String::from("the token is empty"))),
            token => Ok(Self::Given(Secret::new(token.to_owned()))),
        }
    }

    /// A token that is good for a while yet, as far as can be known here.
    pub(crate) async fn token(&self) -> Result<Secret<String>, Failure> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::Login(store) => fresh(store).await,
        }
    }
}

async fn fresh(store: &Store) -> Result<Secret<String>, Failure> {
    let login = kept(store)?;
    if !is_near_its_end(&login) {
        return Ok(login.token);
    }
    let locked = store.clone();
    let lock = tokio::task::spawn_blocking(move || locked.lock()).await.map_err(Failure::of)??;
    // Whoever had the lock before may have refreshed it.
    let login = kept(store)?;
    if !is_near_its_end(&login) {
        return Ok(login.token);
    }
    let refreshed = refresh(store, &login).await;
    drop(lock);
    match refreshed {
        Err(_) if login.ends > seconds_now() => Ok(login.token),
        refreshed => refreshed,
    }
}

fn kept(store: &Store) -> Result<Login, Failure> {
    store.read()?.ok_or_else(|| {
        Failure::Said(format!(
            "who are you? Log in with `portcullis login`, or put a token of your identity provider into `{TOKEN}`, or \
             name its file with `--token-file`"
        ))
    })
}

fn is_near_its_end(login: &Login) -> bool {
    login.ends != 0 && login.ends <= seconds_now().saturating_add(NEAR)
}

async fn refresh(store: &Store, login: &Login) -> Result<Secret<String>, Failure> {
    let again = |why: &str| Failure::Said(format!("your login has ended{why}; log in again with `portcullis login`"));
    let refresh = login.refresh.as_ref().ok_or_else(|| again(""))?;
    let provider = Provider::discover(&login.issuer, login.command_line.clone()).await?;
    let tokens = provider.refresh(refresh).await.map_err(|why| again(&format!(": {why}")))?;
    let next = Login {
        control: login.control.clone(),
        issuer: login.issuer.clone(),
        command_line: login.command_line.clone(),
        token: tokens.shown,
        refresh: tokens.refresh,
        ends: tokens.ends,
    };
    store.write(&next)?;
    Ok(next.token)
}
