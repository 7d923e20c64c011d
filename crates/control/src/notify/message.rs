//! What receivers are told: an event as JSON, and the same as a message to people in Slack. It holds neither
//! statement nor values, for it goes to others' machines; whoever wants to see them signs in.

use portcullis_core::visible;
use serde::{Deserialize, Serialize};

use crate::ask::{Ask, State, rfc3339};

/// The most characters of a text of others in a message to people.
const SHOWN: usize = 300;

/// What happened to an ask.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Event {
    /// `ask.pending`, and so on.
    #[serde(rename = "type")]
    kind: String,
    /// The delivery's id: the same however often it comes.
    id: String,
    /// When (RFC 3339).
    at: String,
    ask: About,
}

/// The ask that it happened to.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    id: String,
    target: String,
    requester: String,
    reason: String,
    policies: Vec<String>,
    state: State,
    url: String,
}

/// The event that an ask has come to its state, as JSON.
pub(super) fn event(id: &str, ask: &Ask, base: &str, at: u64) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Event {
        kind: format!("ask.{}", ask.state.word()),
        id: id.to_owned(),
        at: rfc3339(at),
        ask: About {
            id: ask.id.clone(),
            target: ask.target.clone(),
            requester: ask.requester.name().to_owned(),
            reason: ask.reason.clone(),
            policies: ask.policies.clone(),
            state: ask.state,
            url: format!("{base}/asks/{}", ask.id),
        },
    })
}

/// What Slack's incoming webhooks take.
#[derive(Serialize)]
struct Message {
    text: String,
    unfurl_links: bool,
}

/// An event as a message to people.
pub(super) fn slack(event: &str) -> Result<String, serde_json::Error> {
    let Event { ask, .. } = serde_json::from_str(event)?;
    let (who, target, link) = (shown(&ask.requester), shown(&ask.target), escaped(&ask.url));
    let text = match ask.state {
        State::Pending => {
            let (why, policies) = (shown(&ask.reason), shown(&ask.policies.join(", ")));
            format!("*{who}* asks for an approval on *{target}*: {why} ({policies})\n<{link}|Look at it and answer>")
        }
        over => format!("The ask of *{who}* on *{target}* is {}\n<{link}|Look at it>", over.word()),
    };
    serde_json::to_string(&Message { text, unfurl_links: false })
}

/// A text of others: on one line, with what cannot be seen made visible, and nothing in it that Slack obeys.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    escaped(&visible::line(&shown))
}

/// The three signs by which Slack knows links and mentions.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_holds_what_the_ask_is_about_and_no_statement() {
        let ask = Ask {
            statement: b"DELETE FROM t".into(),
            values: "$1 = '7'".into(),
            ..crate::ask::tests::ask(&[&["dba"]], 1)
        };
        let event = event("msg_1", &ask, "https://gate.example.com", 1_795_402_740_000_001).unwrap();
        let json: serde_json::Value = serde_json::from_str(&event).unwrap();
        assert_eq!((&json["type"], &json["id"]), (&"ask.pending".into(), &"msg_1".into()));
        assert_eq!(json["at"], "2026-11-23T02:59:00.000001Z");
        let mut keys: Vec<&String> = json["ask"].as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["id", "policies", "reason", "requester", "state", "target", "url"]);
        assert_eq!(json["ask"]["url"], format!("https://gate.example.com/asks/{}", ask.id));
        assert!(!event.contains("DELETE") && !event.contains("$1"), "{event}");
    }

    #[test]
    fn slack_obeys_nothing_of_what_others_wrote() {
        let mut ask = crate::ask::tests::ask(&[&["dba"]], 1);
        ask.requester.email = Some("<!channel> & <https://evil.example|ok>\u{202e}\n".into());
        ask.reason = "x".repeat(1_000);
        let message = slack(&event("msg_1", &ask, "https://gate.example.com", 1).unwrap()).unwrap();
        let json: serde_json::Value = serde_json::from_str(&message).unwrap();
        let text = json["text"].as_str().unwrap();
        let who = "*&lt;!channel&gt; &amp; &lt;https://evil.example|ok&gt;\\u{202e}\\u{a}* asks for an approval on ";
        assert!(text.starts_with(who), "{text}");
        assert!(
            text.ends_with(&format!("\n<https://gate.example.com/asks/{}|Look at it and answer>", ask.id)),
            "{text}"
        );
        assert_eq!(text.matches('<').count(), 1);
        assert!(text.len() < 1_000 && text.contains('…'), "{text}");
        ask.state = State::Denied;
        assert!(slack(&event("msg_2", &ask, "", 1).unwrap()).unwrap().contains("is denied"));
    }
}
