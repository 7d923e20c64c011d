//! Measures what masking costs: texts that detectors look at, in MB/s of one core, and values that
//! are masked as a whole, in nanoseconds.
//!
//! `cargo run --release -p portcullis-core --example masking_cost` prints medians.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::unreachable,
    reason = "it is a program that prints figures or fails"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use portcullis_core::BoxFuture;
use portcullis_core::approval::NoApprovals;
use portcullis_core::clock::SystemClock;
use portcullis_core::gate::{Answer, Gate, Ports, TargetSpec};
use portcullis_core::identity::{Identity, IdentityError, IdentitySource, Kind as Who, Proof};
use portcullis_core::masking::reveal::REVEAL;
use portcullis_core::masking::{Detector, Field, Kind, Rules, Settings, Style, Tag, Tags};
use portcullis_core::operation::{Action, Effect, Effects, Facts, Operation, Parameters, Resource};
use portcullis_core::permit::Permit;
use portcullis_core::policy::{Decision, Policy, Question, Ruling};
use portcullis_core::recording::{Event, Opening, RecordError, Recorder, Recording};
use portcullis_core::secret::Secret;
use portcullis_core::stream::{BoxStream, Connector, Secured, TlsMode};

/// How often each figure is taken.
const ROUNDS: usize = 31;
/// Bytes of one value in a column of long texts.
const LONG: usize = 4 << 10;
/// Bytes that are looked at for one figure.
const BYTES: usize = 4 << 20;

const PROSE: &str = "The quick brown fox jumps over the lazy dog, and nobody who was there remembers why it did so. ";
const LOG: &str = "2026-11-23T09:38:09.123456Z INFO  request id=7f3c2a10-9b1e-4c55-8d0a-2f6f1d3e4b5c 10.0.0.12 \"GET \
                   /v1/items/48213?page=2 HTTP/1.1\" 200 5316 took 12.345ms\n";
const JSON: &str =
    "{\"id\": 48213, \"name\": \"Widget, large\", \"price\": 129.90, \"tags\": [\"new\", \"blue\"], \"stock\": 17}, ";
const DENSE: &str = "ada@example.com,4111 1111 1111 1111,GB82WEST12345698765432,+49 30 901820,078-05-1120,12345678Z\n";

const NATIONAL: [Detector; 8] = [
    Detector::UsSsn,
    Detector::EsDni,
    Detector::FrNir,
    Detector::BrCpf,
    Detector::PlPesel,
    Detector::FiHetu,
    Detector::InAadhaar,
    Detector::SePersonnummer,
];
const SECRETS: [Detector; 5] =
    [Detector::Jwt, Detector::PrivateKey, Detector::AwsKey, Detector::GcpKey, Detector::GithubToken];
const OWN: [&str; 3] = ["(?i)project [a-z]+", "\\bEMP-[0-9]{6}\\b", "MRN[: ]?[0-9]{7,8}"];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("MB/s of one core, values of {LONG} bytes:\n");
    println!("| looked for | prose | log | JSON | dense |\n|---|---|---|---|---|");
    for (name, detect, own) in [
        ("e-mail", &[Detector::Email][..], &[][..]),
        ("card", &[Detector::Card], &[]),
        ("IBAN", &[Detector::Iban], &[]),
        ("phone", &[Detector::Phone], &[]),
        ("eight national numbers", &NATIONAL, &[]),
        ("keys and tokens", &SECRETS, &[]),
        ("all detectors", &Detector::ALL, &[]),
        ("three own expressions", &[], &OWN),
        ("all of them", &Detector::ALL, &OWN),
    ] {
        let patterns = own.iter().map(|pattern| ((*pattern).to_owned(), Tag::new("own"))).collect();
        let detect = detect.iter().copied().collect();
        let mut permit = permit(&Settings { detect, patterns, ..Settings::default() }).await;
        let texts = [(PROSE, Kind::Text), (LOG, Kind::Text), (JSON, Kind::Json), (DENSE, Kind::Text)];
        let row = texts.map(|(text, kind)| format!("{:.0}", speed(&mut permit, text, kind)));
        println!("| {name} | {} |", row.join(" | "));
    }
    cells().await;
}

async fn cells() {
    println!("\nNanoseconds a value:\n\n| value | ns |\n|---|---|");
    let mut all = permit(&Settings { detect: Detector::ALL.into(), ..Settings::default() }).await;
    for value in ["Ada Lovelace", "1002348", "2026-11-23 09:38:09", "ada@example.com"] {
        println!("| `{value}`, all detectors | {:.0} |", cell(&mut all, &Field::TEXT, value));
    }
    println!("| `ada@example.com`, not looked at | {:.0} |", cell(&mut all, &Field::CLEAN, "ada@example.com"));
    for (name, style) in [
        ("redacted", Style::Redact),
        ("partly shown", Style::Partial { keep: 4 }),
        ("hashed", Style::Hash),
        ("null", Style::Null),
    ] {
        let settings = Settings {
            columns: vec![(String::from("*"), Tag::new("email"))],
            styles: BTreeMap::from([(Tag::new("email"), style)]),
            key: Some(Secret::new(vec![7; 32])),
            ..Settings::default()
        };
        let mut permit = permit(&settings).await;
        let tags = permit.view().map(|view| view.all()).unwrap_or_default();
        let field = Field { tags, ..Field::CLEAN };
        println!("| `ada@example.com`, {name} | {:.0} |", cell(&mut permit, &field, "ada@example.com"));
    }
}

/// MB/s over values made of one text again and again.
fn speed(permit: &mut Permit, text: &str, kind: Kind) -> f64 {
    let mut value = text.repeat(LONG / text.len() + 1);
    value.truncate(LONG / text.len() * text.len());
    if kind == Kind::Json {
        value = format!("[{value}0]");
    }
    let field = Field { kind, ..Field::TEXT };
    let times = BYTES / value.len();
    let nanos = median(times, || {
        black_box(permit.mask(&field, black_box(value.as_bytes())));
    });
    value.len() as f64 * 1_000.0 / nanos
}

fn cell(permit: &mut Permit, field: &Field, value: &str) -> f64 {
    median(100_000, || {
        black_box(permit.mask(black_box(field), black_box(value.as_bytes())));
    })
}

/// The median over rounds of the time of one call, in nanoseconds.
fn median(calls: usize, mut call: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            (0..calls).for_each(|_| call());
            began.elapsed().as_nanos() as f64 / calls as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(ROUNDS / 2).copied().unwrap_or(0.0)
}

/// A permit of a session that nothing is revealed to.
async fn permit(settings: &Settings) -> Permit {
    let ports = Ports {
        identity: Arc::new(Plain),
        policy: Arc::new(Plain),
        approvals: Arc::new(NoApprovals),
        recorder: Arc::new(Plain),
        clock: Arc::new(SystemClock),
        sessions: Arc::default(),
    };
    let target = TargetSpec {
        name: String::from("shop"),
        labels: Vec::new(),
        protocol: "t",
        family: "t",
        max_age: Duration::from_secs(3_600),
        end_with_token: false,
        masking: Rules::new(settings).unwrap(),
        recorded_results: 0,
        connector: Arc::new(Plain),
    };
    let gate = Gate::new(ports, Arc::new(target), Ipv4Addr::LOCALHOST.into());
    let session = gate.identify(Proof::Bearer(Secret::new(String::new())), "cost").await.unwrap();
    let effect = Effect { action: Action::new("t:read"), resource: Resource::target(), facts: Facts::new() };
    let effects = Effects::new(vec![effect]);
    let operation = Operation {
        kind: "Read",
        statement: b"",
        parameters: Parameters::default(),
        effects: &effects,
        account: "",
        in_transaction: false,
        carries: Tags::NONE,
    };
    match session.decide(&operation) {
        Answer::Permit(permit) => permit,
        Answer::Ask(_) | Answer::Refuse(_) => unreachable!("the policy allows everything but `reveal`"),
    }
}

/// Every port in its plainest form. The testkit's would have a whole gate built for these figures.
struct Plain;

impl IdentitySource for Plain {
    fn identify<'a>(&'a self, _: &'a Proof) -> BoxFuture<'a, Result<Identity, IdentityError>> {
        let identity = Identity {
            issuer: String::from("https://id.example.com"),
            subject: String::from("dana"),
            kind: Who::User,
            groups: Vec::new(),
            email: None,
            actors: Vec::new(),
            token: None,
            authenticated: None,
            expires: SystemTime::UNIX_EPOCH,
        };
        Box::pin(std::future::ready(Ok(identity)))
    }
}

impl Policy for Plain {
    fn decide(&self, question: &Question<'_>) -> Arc<Ruling> {
        let reveals = question.effects.list().iter().any(|effect| effect.action == REVEAL);
        let decision = if reveals { Decision::Deny } else { Decision::Allow };
        Arc::new(Ruling { decision, policies: Vec::new(), reason: String::new(), revision: "1".into() })
    }
}

impl Recorder for Plain {
    fn open(&self, _: &Opening<'_>) -> Result<Box<dyn Recording>, RecordError> {
        Ok(Box::new(Self))
    }
}

impl Recording for Plain {
    fn id(&self) -> &str {
        "cost-1"
    }

    fn append(&self, _: u64, _: &Event<'_>) -> Result<(), RecordError> {
        Ok(())
    }

    fn commit(&self) -> Result<(), RecordError> {
        Ok(())
    }
}

impl Connector for Plain {
    fn connect(&self) -> BoxFuture<'_, io::Result<BoxStream>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn tls_mode(&self) -> TlsMode {
        TlsMode::Disable
    }

    fn start_tls(&self, _: BoxStream, _: &'static [&'static [u8]]) -> BoxFuture<'_, io::Result<Secured>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}
