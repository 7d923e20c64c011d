//! `portcullis login`, `logout` and `whoami`: who the command line is at the control plane.

use portcullis_control::api::{Issuers, Me, ShownIssuer};
use portcullis_control::sign_in::CommandLine;
use reqwest::Method;

use crate::args;
use crate::client::{Client, Plane, wait};
use crate::login::{Login, Provider, Tokens, by_browser, by_device};
use crate::output::{Failure, Output, Tone, Verdict};
use crate::visible;

pub(crate) fn login(args: &args::Login, output: &mut Output) -> Result<Verdict, Failure> {
    let plane = Plane::new(&args.plane)?;
    let store = plane.store()?;
    wait(async {
        let Issuers { issuers } = plane.ask(Method::GET, "issuers", None, None::<&()>).await?;
        let (issuer, own) = chosen(&issuers, args.issuer.as_deref())?;
        let provider = Provider::discover(&issuer.issuer, own.clone()).await?;
        let tokens = if args.device {
            Box::pin(by_device(&provider, output)).await?
        } else {
            Box::pin(by_browser(&provider, output)).await?
        };
        let Tokens { shown, refresh, ends } = tokens;
        // What the gate does not take is not kept.
        let me: Me = plane.ask(Method::GET, "me", Some(&shown), None::<&()>).await?;
        let login = Login {
            control: store.control().to_owned(),
            issuer: issuer.issuer.clone(),
            command_line: own.clone(),
            token: shown,
            refresh,
            ends,
        };
        let lock = store.lock()?;
        store.write(&login)?;
        drop(lock);
        let name = output.toned(Tone::Strong, visible::line(&me.name));
        output.line(format_args!("You are {name} at {}, until {}.", store.control(), visible::line(&me.expires_at)))
    })?;
    Ok(Verdict::Good)
}

/// The issuer to log in at: the one that was named, or the only one.
fn chosen<'i>(issuers: &'i [ShownIssuer], named: Option<&str>) -> Result<(&'i ShownIssuer, &'i CommandLine), Failure> {
    let able: Vec<_> = issuers.iter().filter_map(|issuer| Some((issuer, issuer.command_line.as_ref()?))).collect();
    let names =
        || able.iter().map(|(issuer, _)| format!("`{}`", visible::line(&issuer.name))).collect::<Vec<_>>().join(", ");
    match (named, able.as_slice()) {
        (_, []) => Err(Failure::Said(String::from(
            "this control plane says of no identity provider how to log in by the command line; its operator gives one a `command_line` table",
        ))),
        (Some(named), _) => able.iter().copied().find(|(issuer, _)| issuer.name == named).ok_or_else(|| {
            Failure::Said(format!("there is no identity provider `{named}` to log in at; there is {}", names()))
        }),
        (None, [only]) => Ok(*only),
        (None, _) => Err(Failure::Said(format!("say with `--issuer` where to log in: {}", names()))),
    }
}

pub(crate) fn logout(args: &args::Logout, output: &mut Output) -> Result<Verdict, Failure> {
    let store = Plane::new(&args.plane)?.store()?;
    let lock = store.lock()?;
    let removed = store.remove()?;
    drop(lock);
    output.line(if removed { "You are logged out." } else { "You were not logged in." })?;
    Ok(Verdict::Good)
}

pub(crate) fn whoami(args: &args::Whoami, output: &mut Output) -> Result<Verdict, Failure> {
    let me: Me = Client::new(&args.control)?.get("me")?;
    if args.json {
        output.json(&me)?;
        return Ok(Verdict::Good);
    }
    let list = |all: &[String]| match all {
        [] => String::from("none"),
        all => visible::line(&all.join(", ")),
    };
    let name = output.toned(Tone::Strong, visible::line(&me.name));
    output.line(format_args!("{name}, a {}", visible::line(&me.kind)))?;
    output.line(format_args!("  subject   {}, by {}", visible::line(&me.subject), visible::line(&me.issuer)))?;
    output.line(format_args!("  groups    {}", list(&me.groups)))?;
    output.line(format_args!("  until     {}", visible::line(&me.expires_at)))?;
    output.line(format_args!("  may       {}", list(&me.may)))?;
    Ok(Verdict::Good)
}

#[cfg(test)]
mod tests {
    use portcullis_control::sign_in::ShownAs;

    use super::*;

    fn issuer(name: &str, able: bool) -> ShownIssuer {
        let own = CommandLine { client_id: "cli".into(), scope: "openid".into(), token: ShownAs::Access };
        let issuer = format!("https://{name}.example.com");
        ShownIssuer { name: name.into(), issuer, page: true, command_line: able.then_some(own) }
    }

    #[test]
    fn only_issuer_is_taken_and_of_several_the_named_one() {
        let name = |issuers: &[ShownIssuer], named| {
            chosen(issuers, named).map(|(issuer, _)| issuer.name.clone()).map_err(|why| why.to_string())
        };
        let (okta, github, page) = (issuer("okta", true), issuer("github", true), issuer("page", false));
        assert_eq!(name(&[okta.clone(), page.clone()], None).unwrap(), "okta");
        let both = [okta, github];
        assert_eq!(name(&both, Some("github")).unwrap(), "github");
        assert!(name(&both, None).unwrap_err().contains("`okta`, `github`"));
        assert!(name(&both, Some("page")).unwrap_err().contains("no identity provider `page`"));
        assert!(name(&[page], None).unwrap_err().contains("command_line"));
    }
}
