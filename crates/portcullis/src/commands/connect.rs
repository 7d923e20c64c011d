//! `portcullis connect`: a loopback port behind which a target is. Each connection to it becomes one tunnel
//! through the gate; what passes is not looked at here.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;

use portcullis_control::api::TargetList;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::args;
use crate::client::{Client, wait};
use crate::output::{Failure, Output, Tone, Verdict};
use crate::{neighbours, protocols, visible};

/// The most connections at a time; more wait.
const MAX_CONNECTIONS: usize = 256;

/// Complaints of connections that nobody has printed yet.
const MAX_COMPLAINTS: usize = 64;

pub(crate) fn run(args: &args::Connect, output: &mut Output) -> Result<Verdict, Failure> {
    let client = Arc::new(Client::new(&args.control)?);
    wait(async {
        // Whoever may not is told before anything listens.
        client.knock(&args.target).await?;
        let at = (Ipv4Addr::LOCALHOST, args.port.unwrap_or(0));
        let busy = |why| Failure::Said(format!("port {} on 127.0.0.1 cannot be listened on: {why}", at.1));
        let listener = TcpListener::bind(at).await.map_err(busy)?;
        let address = listener.local_addr().map_err(Failure::of)?;
        let (complains, mut complaints) = mpsc::channel(MAX_COMPLAINTS);
        let serving = serve(listener, Arc::clone(&client), args.target.clone(), complains);
        tokio::pin!(serving);
        let mut child = match args.command.split_first() {
            Some((program, arguments)) => Some(start(program, arguments, address)?),
            None => {
                announce(&client, &args.target, address, output).await?;
                None
            }
        };
        loop {
            tokio::select! {
                status = ended(&mut child) => return status.map(Verdict::Exit),
                Some(why) = complaints.recv() => output.warning(why),
                // What an interrupt means is for the command to say.
                Ok(()) = tokio::signal::ctrl_c(), if child.is_some() => {}
                never = &mut serving => match never {},
            }
        }
    })
}

/// Accepts for as long as it is polled.
async fn serve(
    listener: TcpListener,
    client: Arc<Client>,
    target: String,
    complains: mpsc::Sender<Failure>,
) -> Infallible {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut tunnels = JoinSet::new();
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(why) => {
                let _ = complains.try_send(Failure::of(why));
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        while tunnels.try_join_next().is_some() {}
        let (client, target, complains) = (Arc::clone(&client), target.clone(), complains.clone());
        tunnels.spawn(async move {
            let _place = place;
            if let Err(why) = carry(stream, &client, &target).await {
                // One who is told too much reads none of it.
                let _ = complains.try_send(why);
            }
        });
    }
}

async fn carry(mut stream: TcpStream, client: &Client, target: &str) -> Result<(), Failure> {
    let _ = stream.set_nodelay(true);
    if !is_own(&stream).map_err(Failure::of)? {
        return Err(Failure::Said(String::from("another user of this machine tried to connect, and was turned away")));
    }
    let mut tunnel = client.tunnel(target).await?;
    // An end that is not clean is for the two to notice.
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut tunnel).await;
    Ok(())
}

fn is_own(stream: &TcpStream) -> std::io::Result<bool> {
    match (stream.peer_addr()?, stream.local_addr()?) {
        (SocketAddr::V4(peer), SocketAddr::V4(here)) => neighbours::is_own(peer, here),
        // Nothing listens there.
        _ => Ok(false),
    }
}

async fn announce(client: &Client, target: &str, address: SocketAddr, output: &mut Output) -> Result<(), Failure> {
    // Whoever may not list the targets knows what they connect to.
    let listed = client.read::<TargetList>("targets").await.ok();
    let found = listed.and_then(|list| list.targets.into_iter().find(|one| one.name == target));
    let name = output.toned(Tone::Strong, visible::line(target));
    output.line(format_args!("{name} is at {address} until you press Ctrl-C."))?;
    if let Some(usual) = found.and_then(|target| protocols::usual_client(&target.protocol, address)) {
        output.line(format_args!("\n  {usual}\n"))?;
    }
    output.flush()
}

/// Starts the command with the port and the host put in.
fn start(program: &OsStr, arguments: &[OsString], address: SocketAddr) -> Result<Child, Failure> {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let filled = |text: &OsStr| match text.to_str() {
        Some(text) => OsString::from(text.replace("{host}", &host).replace("{port}", &port)),
        None => text.to_owned(),
    };
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|argument| filled(argument)));
    // The tunnel is the encryption; inside it there is none to ask for.
    command.env("PGHOST", &host).env("PGPORT", &port).env("PGSSLMODE", "disable");
    command.kill_on_drop(true);
    command.spawn().map_err(|why| Failure::Said(format!("`{}` cannot be started: {why}", program.display())))
}

/// The exit code of the command, once there is one and it has ended.
async fn ended(child: &mut Option<Child>) -> Result<u8, Failure> {
    match child {
        Some(child) => child.wait().await.map(code).map_err(Failure::of),
        None => std::future::pending().await,
    }
}

/// As shells say it: what ended by a signal has 128 and its number.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| signal.saturating_add(128)));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
