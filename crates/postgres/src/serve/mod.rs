//! Serving one client: the only part that awaits. Startup and login, the target's login, then the
//! relay. Everything that is read here is bounded, and the login has a deadline.

mod cancel;
mod estimate;
mod hold;
mod login;
pub(crate) mod lookup;
mod packets;
mod pump;
mod relay;
mod startup;
mod target;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use portcullis_core::gate::{Answer, Gate, Session};
use portcullis_core::identity::Proof;
use portcullis_core::masking::Tags;
use portcullis_core::operation::{Operation, Parameters};
use portcullis_core::permit::Permit;
use portcullis_core::protocol::{Client, ServeError};
use portcullis_core::refusal::Refusal;
use portcullis_core::stream::BoxStream;

use self::startup::Begun;
use self::target::TargetLogin;
use crate::Postgres;
use crate::classify;
use crate::refusal;
use crate::wire::startup::Startup;
use crate::wire::write::{self, Report, Severity};

/// How long a cancel request may take to reach the target.
const CANCEL_DEADLINE: Duration = Duration::from_secs(5);

/// Serves one client from its first byte to its last.
pub(crate) async fn serve(postgres: &Postgres, client: Client, gate: Gate) -> Result<(), ServeError> {
    let deadline = tokio::time::Instant::now() + client.login_deadline;
    let admitted = tokio::time::timeout_at(deadline, admit(postgres, client, &gate)).await;
    let admitted = admitted.map_err(|_| ServeError::Client("it took too long to log in".into()))?;
    match admitted? {
        Some(relay) => relay.run().await,
        None => Ok(()),
    }
}

/// Takes a client from its first byte through both logins; `None` where it only wanted to cancel.
async fn admit<'p>(
    postgres: &'p Postgres,
    client: Client,
    gate: &Gate,
) -> Result<Option<relay::Relay<'p>>, ServeError> {
    let plaintext_login = client.plaintext_login;
    let (mut stream, startup, encrypted, proof) = match startup::begin(client).await? {
        Begun::Cancel { mut stream, process, key } => {
            let _ = tokio::time::timeout(CANCEL_DEADLINE, postgres.cancels.request(process, &key)).await;
            // Nothing is answered, but TLS is ended as it should be: libpq reports a bare end.
            let _ = tokio::io::AsyncWriteExt::shutdown(&mut stream).await;
            return Ok(None);
        }
        Begun::Session { stream, startup, encrypted, proof } => (stream, startup, encrypted, proof),
    };
    let leg = Leg { encrypted, plaintext_login, proof };
    match log_in(postgres, &mut stream, &startup, leg, gate).await {
        Ok(established) => relay::Relay::new(postgres, stream, established).map(Some),
        Err(Failed::Told(why)) => Err(why),
        Err(Failed::Refused(refusal)) => {
            let told = refusal::report(&refusal);
            tell(&mut stream, &told).await;
            Err(ServeError::Refused(told.message))
        }
        Err(Failed::Tell(report, why)) => {
            tell(&mut stream, &report).await;
            Err(why)
        }
        Err(Failed::Relay(said, why)) => {
            leave_with(&mut stream, &said).await;
            Err(why)
        }
    }
}

/// How a login fails.
enum Failed {
    /// The client cannot be told, or has been.
    Told(ServeError),
    /// The pipeline refuses.
    Refused(Refusal),
    /// The client is told this, the operator that.
    Tell(Report, ServeError),
    /// The client is told what the target said.
    Relay(BytesMut, ServeError),
}

impl From<ServeError> for Failed {
    fn from(why: ServeError) -> Self {
        Self::Told(why)
    }
}

/// Everything that the relay begins with.
pub(crate) struct Established {
    pub(crate) session: Session,
    pub(crate) connection: Permit,
    pub(crate) login: TargetLogin,
    pub(crate) key: crate::cancel::CancelKey,
    pub(crate) database: String,
    /// The account on the target.
    pub(crate) account: String,
}

/// What is known of the client's side when it logs in.
struct Leg {
    encrypted: bool,
    plaintext_login: bool,
    proof: Option<Proof>,
}

async fn log_in(
    postgres: &Postgres,
    stream: &mut BoxStream,
    startup: &Startup,
    leg: Leg,
    gate: &Gate,
) -> Result<Established, Failed> {
    startup::check(startup)?;
    if !leg.encrypted && !leg.plaintext_login {
        return Err(Failed::Tell(
            Report {
                code: "28000",
                message: "this gate takes no login outside TLS".into(),
                hint: Some("connect with sslmode=require or stricter".into()),
                ..Report::default()
            },
            ServeError::Client("it tried to log in without TLS".into()),
        ));
    }
    let key = postgres.cancels.mint(startup.minor).ok_or_else(too_busy)?;
    startup::negotiate(stream, startup).await?;
    let application = startup.get("application_name").unwrap_or_default();
    let proof = match leg.proof {
        Some(proof) => proof,
        None => login::proof(stream, postgres.config.client_login, gate).await?,
    };
    let session = gate.identify(proof, application).await.map_err(Failed::Refused)?;
    let effects = classify::connect(startup, leg.encrypted);
    let statement = described(startup);
    let account = &*postgres.config.login_for(startup.user()).user;
    let operation = Operation {
        kind: "connect",
        statement: statement.as_bytes(),
        parameters: Parameters::default(),
        effects: &effects,
        account,
        in_transaction: false,
        carries: Tags::NONE,
    };
    let connection = match session.decide(&operation) {
        Answer::Permit(permit) => permit,
        Answer::Ask(_) => return Err(Failed::Refused(Refusal::NobodyToAsk)),
        Answer::Refuse(refusal) => return Err(Failed::Refused(refusal)),
    };
    let mut said = BytesMut::new();
    let login = postgres.config.login_for(startup.user());
    let dialled = session.dial(&connection, |spec| target::log_in(spec, login, startup, &mut said)).await;
    let target = dialled.map_err(|why| {
        session.close(format!("the login at the target failed: {why}"));
        if said.is_empty() { Failed::Tell(unreachable_target(&why), why) } else { Failed::Relay(said, why) }
    })?;
    let login = TargetLogin::welcome(target, &connection, stream, &key).await?;
    let (database, account) = (startup.database().to_owned(), account.to_owned());
    Ok(Established { session, connection, login, key, database, account })
}

/// The startup packet as text, for the record: parameters in the order sent.
fn described(startup: &Startup) -> String {
    let parts: Vec<String> = startup.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    parts.join(" ")
}

/// What a client is told when the target cannot be had: that it cannot, and not why, for the why
/// may name hosts, roles and addresses behind the gate.
fn unreachable_target(why: &ServeError) -> Report {
    let code = match why {
        ServeError::Target(_) | ServeError::TargetIo(_) => "08001",
        _ => "58000",
    };
    Report {
        code,
        message: "the gate could not log in to the target".into(),
        hint: Some("try again shortly; if it lasts, tell the gate's operator".into()),
        ..Report::default()
    }
}

fn too_busy() -> Failed {
    Failed::Tell(
        Report { code: "53300", message: "this gate has no room for another session".into(), ..Report::default() },
        ServeError::Gate("no cancel key could be made".into()),
    )
}

/// Tells a client why its connection ends. What it makes of that is its own affair.
async fn tell(stream: &mut BoxStream, report: &Report) {
    let mut out = BytesMut::new();
    write::report(&mut out, Severity::Fatal, report);
    leave_with(stream, &out).await;
}

async fn leave_with(stream: &mut BoxStream, said: &[u8]) {
    let _ = packets::send(stream, said).await;
    let _ = tokio::io::AsyncWriteExt::shutdown(stream).await;
}

/// Logs in at the target as a session would, and leaves again.
pub(crate) async fn probe(postgres: &Postgres, gate: Gate) -> Result<(), ServeError> {
    let spec = Arc::new(gate.target().clone());
    let startup =
        Startup { minor: 0, parameters: vec![("user".into(), String::new()), ("database".into(), "postgres".into())] };
    let end = target::log_in(spec, &postgres.config.login, &startup, &mut BytesMut::new()).await?;
    end.goodbye().await
}
