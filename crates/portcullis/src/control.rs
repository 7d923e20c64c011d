//! The control plane in the gate's process: the one place that knows both.

use std::path::PathBuf;
use std::sync::Arc;

use portcullis_control::authority::Authority;
use portcullis_control::notify::{Kind, Receiver};
use portcullis_control::sign_in::{CommandLine, Issuer, ShownAs};
use portcullis_control::vocabulary::VOCABULARY;
use portcullis_control::{Control, Ports, Settings};
use portcullis_core::BoxFuture;
use portcullis_core::approval::Approvals;
use portcullis_core::clock::SystemClock;
use portcullis_core::identity::Tickets;
use portcullis_runtime::config::{Notify, NotifyKind, Process};
use portcullis_runtime::identity::{CodeFlow, OidcConfig, OidcError, ShownToken};
use portcullis_runtime::server::beside::{Beside, Open, Opening, Shared};

use crate::archive::SpoolArchive;
use crate::doors::GateDoors;
use crate::policies::{GatePolicies, GateVitals};

/// Opens the control plane that a configuration asks for.
pub(crate) fn opening() -> Opening {
    let open: Open = Box::new(|process: &Process| {
        let settings = process.control.as_ref().map(|control| Settings {
            listen: control.listen,
            url: control.url.clone(),
            database: control.database.clone(),
            max_login_age: control.max_login_age,
            sign_in_lasts: control.sign_in_lasts,
            notify: Vec::new(),
        });
        let (tls, recordings) = (process.tls.is_some(), process.recording.dir.clone());
        let issuers: Result<Vec<_>, _> = process.identity.oidc.iter().map(issuer).collect();
        let notify: Result<Vec<_>, _> = process.control.iter().flat_map(|own| &own.notify).map(receiver).collect();
        Box::pin(async move {
            let Some(settings) = settings else { return Ok(None) };
            let issuers = issuers.map_err(|why| why.to_string())?;
            let settings = Settings { notify: notify?, ..settings };
            let control = Control::open(settings, tls).await.map_err(|why| why.to_string())?;
            Ok(Some(Box::new(Embedded { control, issuers, recordings }) as Box<dyn Beside>))
        })
    });
    Opening { vocabulary: VOCABULARY, open }
}

/// A receiver as the control plane knows it.
fn receiver(config: &Notify) -> Result<Receiver, String> {
    let kind = match (config.kind, &config.secret) {
        (NotifyKind::Webhook, Some(secret)) => Kind::Webhook { secret: secret.clone() },
        (NotifyKind::Webhook, None) => return Err(format!("`control.notify` `{}` has no `secret`", config.name)),
        (NotifyKind::Slack, _) => Kind::Slack,
    };
    Ok(Receiver { name: config.name.clone(), url: config.url.clone(), kind })
}

/// An issuer as the control plane knows it.
fn issuer(config: &OidcConfig) -> Result<Issuer, OidcError> {
    let page = CodeFlow::new(config, Arc::new(SystemClock))?;
    let command_line = config.command_line.as_ref().map(|own| CommandLine {
        client_id: own.client_id.clone(),
        scope: own.scope.clone(),
        token: match own.token {
            ShownToken::Id => ShownAs::Id,
            ShownToken::Access => ShownAs::Access,
        },
    });
    Ok(Issuer {
        name: config.name.clone(),
        url: config.issuer.clone(),
        page: page.map(|page| Arc::new(page) as _),
        command_line,
    })
}

struct Embedded {
    control: Control,
    issuers: Vec<Issuer>,
    recordings: PathBuf,
}

impl Beside for Embedded {
    fn approvals(&self) -> Arc<dyn Approvals> {
        self.control.approvals()
    }

    fn tickets(&self) -> Arc<dyn Tickets> {
        self.control.tickets()
    }

    fn at_drain(&self) -> Box<dyn FnOnce() + Send> {
        let desk = self.control.desk();
        Box::new(move || desk.close())
    }

    fn serve(self: Box<Self>, gate: Shared) -> BoxFuture<'static, ()> {
        let labels = Arc::new(gate.labels.clone());
        let authority = Authority::new(gate.policy, gate.labels);
        let policies = Arc::new(GatePolicies { policies: gate.policies, labels });
        let vitals = Arc::new(GateVitals(gate.vitals));
        let archive = Arc::new(SpoolArchive(self.recordings));
        let Shared { identity, recorder, sessions, doors, tls, .. } = gate;
        Box::pin(self.control.serve(Ports {
            identity,
            issuers: self.issuers,
            authority,
            archive,
            policies,
            vitals,
            recorder,
            sessions,
            doors: Arc::new(GateDoors(doors)),
            tls,
        }))
    }
}
