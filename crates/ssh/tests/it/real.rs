//! Real clients against a real `sshd`, through the gate.

use portcullis_core::approval::Verdict;
use portcullis_core::masking::{Detector, Rules, Settings};
use portcullis_core::sessions::Revocation;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn exec_keeps_streams_and_status_apart() {
    let stage = Stage::new().await;
    let ran = stage.ssh("'echo out; echo err >&2; exit 7'").await;
    assert_eq!((ran.out.as_slice(), ran.status), (&b"out\n"[..], Some(7)), "{}", ran.err);
    assert!(ran.err.contains("err\n"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_arrives_as_a_signal() {
    let stage = Stage::new().await;
    let ran = stage.shell("sshpass -e ssh -v $O -p $P root@127.0.0.1 'kill -TERM $$' 2>&1 | grep -c exit-signal").await;
    assert_eq!(String::from_utf8_lossy(&ran.out).trim(), "1", "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_targets_log_names_the_human() {
    let stage = Stage::new().await;
    assert_eq!(stage.ssh("true").await.status, Some(0));
    let log = stage.sshd.log();
    assert!(log.contains("portcullis session=fake-0 subject="), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn early_input_arrives_whole_and_in_order() {
    let stage = Stage::new().await;
    let ran = stage
        .shell("head -c 20000000 /dev/urandom > $D/in; sshpass -e ssh $O -p $P root@127.0.0.1 cat < $D/in | cmp - $D/in && echo same")
        .await;
    assert_eq!(ran.out, b"same\n", "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_copied_by_every_client() {
    let stage = Stage::new().await;
    let ran = stage
        .shell(
            "set -e; head -c 5000000 /dev/urandom > $D/in
             sshpass -e scp -q $O -P $P $D/in root@127.0.0.1:$D/one && cmp $D/in $D/one
             sshpass -e scp -q $O -P $P root@127.0.0.1:$D/in $D/two && cmp $D/in $D/two
             sshpass -e scp -O -q $O -P $P $D/in root@127.0.0.1:$D/three && cmp $D/in $D/three
             sshpass -e scp -O -q $O -P $P root@127.0.0.1:$D/in $D/four && cmp $D/in $D/four
             sshpass -e rsync -e \"ssh $O -p $P\" $D/in root@127.0.0.1:$D/five && cmp $D/in $D/five
             sshpass -e rsync -e \"ssh $O -p $P\" root@127.0.0.1:$D/in $D/six && cmp $D/in $D/six
             git init -q --bare $D/repo && git init -q $D/work && cd $D/work
             git -c user.name=a -c user.email=a@example.com commit -q --allow-empty -m one
             export GIT_SSH_COMMAND=\"sshpass -e ssh $O\"
             git push -q ssh://root@127.0.0.1:$P$D/repo HEAD:main && git clone -q ssh://root@127.0.0.1:$P$D/repo -b main $D/clone
             echo all",
        )
        .await;
    assert_eq!(String::from_utf8_lossy(&ran.out).lines().last(), Some("all"), "{}", ran.err);
    let effects: Vec<String> =
        stage.gate.recorder.of("operation").iter().map(|op| op["effects"][0]["action"].to_string()).collect();
    assert_eq!(effects.iter().filter(|action| *action == "\"ssh:sftp\"").count(), 2, "{effects:?}");
    assert_eq!(effects.iter().filter(|action| *action == "\"ssh:transfer\"").count(), 6, "{effects:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_has_its_size_and_is_recorded() {
    let stage = Stage::new().await;
    let ran = stage
        .shell("(sleep 1; printf 'stty size\\nexit 3\\n'; sleep 1) | script -qec \"stty rows 33 cols 99; sshpass -e ssh -tt $O -p $P root@127.0.0.1\" /dev/null")
        .await;
    let shown = String::from_utf8_lossy(&ran.out);
    assert!(shown.contains("33 99"), "{shown} {}", ran.err);
    assert_eq!(ran.status, Some(3));
    let resized = stage.gate.recorder.of("resize");
    assert_eq!((&resized[0]["columns"], &resized[0]["rows"]), (&99.into(), &33.into()));
    assert!(format!("{:?}", stage.gate.recorder.of("terminal")).contains("33 99"));
}

#[tokio::test(flavor = "multi_thread")]
async fn three_channels_of_one_login_are_decided_each() {
    let stage = Stage::new().await;
    let ran = stage
        .shell(
            "sshpass -e ssh -M -S $D/c -N $O -p $P root@127.0.0.1 &
             until test -S $D/c; do sleep 0.1; done
             for i in 1 2 3; do ssh -S $D/c $O -p $P root@127.0.0.1 \"echo $i\" & all=\"$all $!\"; done; wait $all
             ssh -S $D/c -O exit $O -p $P root@127.0.0.1",
        )
        .await;
    let mut lines: Vec<_> = ran.out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    assert_eq!(lines, [b"1", b"2", b"3"], "{}", ran.err);
    assert_eq!(stage.gate.recorder.of("decision").len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn forwards_and_agents_are_denied_and_recorded() {
    let stage = Stage::new().await;
    let ran = stage.ssh("-W 127.0.0.1:22").await;
    assert_ne!(ran.status, Some(0));
    assert!(ran.err.contains("administratively prohibited"), "{}", ran.err);
    let remote =
        stage.shell("sshpass -e ssh $O -o ExitOnForwardFailure=yes -R 0:127.0.0.1:22 -p $P root@127.0.0.1 true").await;
    assert_eq!(remote.status, Some(255), "{}", remote.err);
    let agent = stage.shell("eval $(ssh-agent) >/dev/null; sshpass -e ssh -A $O -p $P root@127.0.0.1 'echo \"[$SSH_AUTH_SOCK]\"'; kill $SSH_AGENT_PID").await;
    assert_eq!(agent.out, b"[]\n", "{}", agent.err);
    let asked: Vec<_> = stage.gate.recorder.of("operation").iter().map(|op| op["statement"].to_string()).collect();
    for wanted in ["direct-tcpip 127.0.0.1:22", "tcpip-forward localhost:0", "auth-agent-req"] {
        assert!(asked.iter().any(|statement| statement.contains(wanted)), "{wanted}: {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_command_shows_the_url_runs_once_approved_and_exits_126_if_not() {
    let stage = Stage::new().await;
    stage.gate.policy.ask("ssh:exec");
    let answer = async {
        while stage.gate.approvals.asked().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        stage.gate.approvals.answer(Verdict::Approved(vec!["dana".into()]));
    };
    let (ran, ()) = tokio::join!(stage.ssh("echo done"), answer);
    assert_eq!((ran.out.as_slice(), ran.status), (&b"done\n"[..], Some(0)), "{}", ran.err);
    assert!(ran.err.contains("https://gate.example.com/asks/ask-1"), "{}", ran.err);
    stage.gate.approvals.answer(Verdict::Denied("not on a Friday".into()));
    let ran = stage.ssh("'echo done'").await;
    assert_eq!((ran.out.as_slice(), ran.status), (&b""[..], Some(126)));
    assert!(ran.err.contains("not on a Friday"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_interrupts_withdraws_its_ask() {
    let stage = Stage::new().await;
    stage.gate.policy.ask("ssh:exec");
    let ran = stage.shell("timeout -s INT 2 sshpass -e ssh $O -p $P root@127.0.0.1 'echo done'; true").await;
    for _ in 0..200 {
        if stage.gate.approvals.withdrawn() == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(stage.gate.approvals.withdrawn(), 1, "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_ends_a_shell_with_a_reason() {
    let stage = Stage::new().await;
    let revoke = async {
        while stage.gate.recorder.of("terminal").is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        stage.gate.sessions.revoke(&Revocation::Token("token-1".into()));
        std::time::Instant::now()
    };
    let (ran, revoked) = tokio::join!(stage.ssh("'echo began; sleep 600'"), revoke);
    assert!(revoked.elapsed().as_secs() < 2);
    assert_eq!(ran.status, Some(255));
    assert!(ran.err.contains("it was revoked"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sensitive_is_masked_wherever_it_is_cut() {
    let stage = Stage::with(|gate, _| {
        let detect = [Detector::Card, Detector::Email].into_iter().collect();
        gate.masking = Rules::new(&Settings { detect, ..Settings::default() }).unwrap();
        gate.policy.deny("reveal");
    })
    .await;
    let value = "card 4111111111111111 of ada@example.com";
    let script = format!(
        "'s=\"{value}\"; for i in $(seq 1 ${{#s}}); do printf %s \"${{s:0:$i}}\"; printf \"%s\\n\" \"${{s:$i}}\"; done'"
    );
    let ran = stage.ssh(&script).await;
    let shown = String::from_utf8_lossy(&ran.out);
    assert_eq!(shown.lines().count(), value.len(), "{shown} {}", ran.err);
    let recorded = format!("{:?}", stage.gate.recorder.of("terminal"));
    for secret in ["4111111111111111", "ada@example.com"] {
        assert!(!shown.contains(secret) && !recorded.contains(secret), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_another_host_key_is_refused() {
    let stage = Stage::with(|_, config| config.target_keys = vec![crate::scripted::public(9)]).await;
    let ran = stage.ssh("echo done").await;
    assert_eq!((ran.out.as_slice(), ran.status), (&b""[..], Some(255)));
    assert!(ran.err.contains("could not log in to the target"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_is_no_login_and_a_bad_token_are_turned_away() {
    let stage = Stage::new().await;
    let other = stage.shell("sshpass -e ssh $O -p $P other@127.0.0.1 true").await;
    let bad =
        stage.shell("SSHPASS=wrong sshpass -e ssh $O -o NumberOfPasswordPrompts=1 -p $P root@127.0.0.1 true").await;
    assert!(![other.status, bad.status].contains(&Some(0)));
    assert_eq!(stage.gate.connector.dials(), 0);
    let named = stage.shell("sshpass -e ssh $O -p $P root+scripted@127.0.0.1 true").await;
    assert_eq!(named.status, Some(0), "{}", named.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_login_works_by_keyboard_interactive() {
    let stage = Stage::new().await;
    let ran = stage
        .shell(
            "sshpass -P Token -e ssh $O -o PreferredAuthentications=keyboard-interactive -p $P root@127.0.0.1 echo in",
        )
        .await;
    assert_eq!(ran.out, b"in\n", "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_was_proven_before_is_asked_for_nothing() {
    let ssh = "ssh $O -o BatchMode=yes -p $P root@127.0.0.1 echo here";
    let ran = Stage::proven(portcullis_testkit::fakes::TOKEN).await.shell(ssh).await;
    assert_eq!((ran.status, ran.out.as_slice()), (Some(0), &b"here\n"[..]), "{}", ran.err);
    let stage = Stage::proven("forged").await;
    let refused = stage.shell(ssh).await;
    assert_eq!(refused.status, Some(255), "{refused:?}");
    assert_eq!(stage.gate.connector.dials(), 0);
}
