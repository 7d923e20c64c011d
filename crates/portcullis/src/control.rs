//! The control plane in the gate's process: the one place that knows both.

use std::path::PathBuf;
use std::sync::Arc;

use portcullis_control::authority::Authority;
use portcullis_control::vocabulary::VOCABULARY;
use portcullis_control::{Control, Ports, Settings};
use portcullis_core::BoxFuture;
use portcullis_core::approval::Approvals;
use portcullis_runtime::config::Process;
use portcullis_runtime::server::beside::{Beside, Open, Opening, Shared};

use crate::archive::SpoolArchive;
use crate::doors::GateDoors;

/// Opens the control plane that a configuration asks for.
pub(crate) fn opening() -> Opening {
    let open: Open = Box::new(|process: &Process| {
        let settings = process.control.as_ref().map(|control| Settings {
            listen: control.listen,
            url: control.url.clone(),
            database: control.database.clone(),
            max_login_age: control.max_login_age,
        });
        let (tls, recordings) = (process.tls.is_some(), process.recording.dir.clone());
        Box::pin(async move {
            let Some(settings) = settings else { return Ok(None) };
            let control = Control::open(settings, tls).await.map_err(|why| why.to_string())?;
            Ok(Some(Box::new(Embedded { control, recordings }) as Box<dyn Beside>))
        })
    });
    Opening { vocabulary: VOCABULARY, open }
}

struct Embedded {
    control: Control,
    recordings: PathBuf,
}

impl Beside for Embedded {
    fn approvals(&self) -> Arc<dyn Approvals> {
        self.control.approvals()
    }

    fn at_drain(&self) -> Box<dyn FnOnce() + Send> {
        let desk = self.control.desk();
        Box::new(move || desk.close())
    }

    fn serve(self: Box<Self>, gate: Shared) -> BoxFuture<'static, ()> {
        let authority = Authority::new(gate.policy, gate.labels);
        let archive = Arc::new(SpoolArchive(self.recordings));
        let Shared { identity, recorder, sessions, doors, tls, .. } = gate;
        let doors = Arc::new(GateDoors(doors));
        Box::pin(self.control.serve(Ports { identity, authority, archive, recorder, sessions, doors, tls }))
    }
}
