//! What each detector finds, and what it must not find. Numbers are published examples or made for
//! this table; nobody's.

use proptest::prelude::*;

use super::{Detector, Scanner};
use crate::masking::Tags;

fn found<'t>(detectors: &[Detector], text: &'t str) -> Vec<&'t str> {
    let detectors: Vec<_> = detectors.iter().map(|detector| (*detector, Tags::one(0))).collect();
    let findings = Scanner::new(&detectors, &[]).unwrap().find(text.as_bytes(), Tags::one(0));
    findings.into_iter().map(|finding| text.get(finding.range).expect("a finding ends between characters")).collect()
}

fn check(detector: Detector, rows: &[(&str, &[&str])]) {
    for (text, wanted) in rows {
        assert_eq!(found(&[detector], text), *wanted, "{} in {text:?}", detector.name());
    }
}

#[test]
fn email_is_found_in_prose_and_not_in_what_has_no_domain() {
    check(
        Detector::Email,
        &[
            ("write to ada@example.com.", &["ada@example.com"]),
            ("<Ada.Love+lace@mail.example.co.uk>, or", &["Ada.Love+lace@mail.example.co.uk"]),
            ("o'brien@example.ie", &["o'brien@example.ie"]),
            ("mailto:a_b%c@ex-ample.org?subject=x", &["a_b%c@ex-ample.org"]),
            (r#"{"e":"a@b.de","f":"c@d.fr"}"#, &["a@b.de", "c@d.fr"]),
            ("jürgen@bücher.example", &["jürgen@bücher.example"]),
            ("x@example.xn--p1ai", &["x@example.xn--p1ai"]),
            ("two: a@b.de,c@d.fr", &["a@b.de", "c@d.fr"]),
            ("a@example.com-", &["a@example.com"]),
            ("@", &[]),
            ("@example.com", &[]),
            ("user@localhost", &[]),
            ("left-pad@1.3.0", &[]),
            ("a@.com", &[]),
            ("a@b.c", &[]),
            ("..@example.com", &[]),
            ("3 @ 4.50 each", &[]),
        ],
    );
}

#[test]
fn card_needs_an_issuer_a_length_and_a_good_digit() {
    check(
        Detector::Card,
        &[
            ("4111111111111111", &["4111111111111111"]),
            ("paid with 5555 5555 5555 4444 today", &["5555 5555 5555 4444"]),
            ("5105-1051-0510-5100", &["5105-1051-0510-5100"]),
            ("3782 822463 10005", &["3782 822463 10005"]),
            ("378282246310005;6011111111111117", &["378282246310005", "6011111111111117"]),
            ("30569309025904 3530111333300000", &["30569309025904", "3530111333300000"]),
            ("2223003122003222/4222222222222", &["2223003122003222", "4222222222222"]),
            ("id 1234 4111 1111 1111 1111 12/29", &["4111 1111 1111 1111"]),
            ("card4111111111111111x", &["4111111111111111"]),
            (r"a\b4111111111111111", &["4111111111111111"]),
            ("4111111111111111.00", &["4111111111111111"]),
            ("4111111111111112", &[]),
            ("4111 1111 1111 1112", &[]),
            ("41111111111111110", &[]),
            ("411111111111111", &[]),
            ("1111111111111117", &[]),
            ("9999999999999995", &[]),
            ("0.4111111111111111", &[]),
            ("9f86d0814111111111111111c884c7d6", &[]),
            ("4111 1111-1111 1111", &[]),
            ("1700000000000000", &[]),
        ],
    );
}

#[test]
fn iban_needs_its_country_length_and_97() {
    check(
        Detector::Iban,
        &[
            ("GB82WEST12345698765432", &["GB82WEST12345698765432"]),
            ("to GB82 WEST 1234 5698 7654 32.", &["GB82 WEST 1234 5698 7654 32"]),
            ("de89370400440532013000", &["de89370400440532013000"]),
            ("FR14 2004 1010 0505 0001 3M02 606", &["FR14 2004 1010 0505 0001 3M02 606"]),
            ("NL91ABNA0417164300,NO9386011117947", &["NL91ABNA0417164300", "NO9386011117947"]),
            ("GB83WEST12345698765432", &[]),
            ("GB82WEST12345698765433", &[]),
            ("GB82WEST1234569876543", &[]),
            ("GB82WEST123456987654321", &[]),
            ("XX82WEST12345698765432", &[]),
            ("AGB82WEST12345698765432", &[]),
            ("GB8", &[]),
        ],
    );
}

#[test]
fn phone_needs_a_plus_or_a_form_of_its_own() {
    check(
        Detector::Phone,
        &[
            ("+14155552671", &["+14155552671"]),
            ("call +49 30 901820, please", &["+49 30 901820"]),
            ("+44 (0)20 7946 0958", &["+44 (0)20 7946 0958"]),
            ("+1-415-555-2671", &["+1-415-555-2671"]),
            ("(415) 555-2671", &["(415) 555-2671"]),
            ("415-555-2671 or 415.555.2671", &["415-555-2671", "415.555.2671"]),
            ("4155552671", &[]),
            ("+1234567", &[]),
            ("+0491234567", &[]),
            ("2026-11-23T09:38:09+0200", &[]),
            ("115-555-2671", &[]),
            ("415-155-2671", &[]),
            ("1.415.555.2671.9", &[]),
            ("10.415-555-2671", &[]),
            ("a+4930901820", &[]),
            ("+12345678901234567", &[]),
        ],
    );
}

#[test]
fn national_numbers_need_their_checks() {
    check(
        Detector::UsSsn,
        &[
            ("ssn 078-05-1120.", &["078-05-1120"]),
            ("000-05-1120 666-05-1120 900-05-1120 078-00-1120 078-05-0000", &[]),
            ("078051120 1078-05-1120 078-05-11201 078-05-1120-1", &[]),
        ],
    );
    check(
        Detector::EsDni,
        &[
            ("12345678Z, 12345678-z", &["12345678Z", "12345678-z"]),
            ("X1234567L y Y-1234567-X", &["X1234567L", "Y-1234567-X"]),
            ("12345678A X1234567M W1234567L 12345678ZZ", &[]),
        ],
    );
    check(
        Detector::FrNir,
        &[
            ("255081416802538", &["255081416802538"]),
            ("2 55 08 14 168 025 38", &["2 55 08 14 168 025 38"]),
            ("2550814168025 38", &["2550814168025 38"]),
            ("185052A00608435; 1 85 05 2A 006 084 35", &["185052A00608435", "1 85 05 2A 006 084 35"]),
            ("255081416802539 355081416802538 185052B00608435 185052C00608435", &[]),
        ],
    );
    check(
        Detector::BrCpf,
        &[
            ("529.982.247-25 / 52998224725", &["529.982.247-25", "52998224725"]),
            ("529.982.247-26 529.982.248-25 111.111.111-11 5299822472", &[]),
        ],
    );
    check(
        Detector::PlPesel,
        &[("44051401359 i 02270803624", &["44051401359", "02270803624"]), ("44051401358 44131401355 44053201355", &[])],
    );
    check(
        Detector::FiHetu,
        &[("131052-308T", &["131052-308T"]), ("131052-308U 131352-308T 131052*308T x131052-308T", &[])],
    );
    check(
        Detector::InAadhaar,
        &[
            ("2341 2341 2346; 999999990019", &["2341 2341 2346", "999999990019"]),
            ("2341-2341-2346", &["2341-2341-2346"]),
            ("2341 2341 2347 134123412346 2341 2341 2346 1111", &[]),
        ],
    );
    check(
        Detector::SePersonnummer,
        &[
            ("811228-9874 och 670919+9530", &["811228-9874", "670919+9530"]),
            ("198112289874 8112289874 19811228-9874", &["198112289874", "8112289874", "19811228-9874"]),
            ("811228-9873 811328-9874 811232-9874 991112289874", &[]),
        ],
    );
}

#[test]
fn secrets_are_found_by_how_they_begin() {
    let jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P";
    check(
        Detector::Jwt,
        &[
            (&format!("Authorization: Bearer {jwt}"), &[jwt]),
            (&format!("token={jwt}&x=1"), &[jwt]),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", &["eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."]),
            ("eyJ0eXAi is no token, eyJhbGciOiJub25lIn0 neither", &[]),
            ("heyJude.eyJude.eyJ", &[]),
        ],
    );
    let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----";
    let escaped = r"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----";
    check(
        Detector::PrivateKey,
        &[
            (&format!("a {pem} b {pem}"), &[pem, pem]),
            (&format!("\"{escaped}\\n\""), &[escaped]),
            ("x -----BEGIN OPENSSH PRIVATE KEY-----\nb3Blb", &["-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blb"]),
            ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", &[]),
            ("-----BEGIN PUBLIC KEY-----", &[]),
        ],
    );
    let aws = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    check(
        Detector::AwsKey,
        &[
            ("key AKIAIOSFODNN7EXAMPLE!", &["AKIAIOSFODNN7EXAMPLE"]),
            (&format!("aws_secret_access_key = {aws}"), &[aws]),
            (&format!("\"SecretAccessKey\": \"{aws}\""), &[aws]),
            (&format!("AWS_SECRET_ACCESS_KEY='{aws}'"), &[aws]),
            ("AKIAIOSFODNN7EXAMPL AKIAIOSFODNN7EXAMPLES AKIAiosfodnn7example XAKIAIOSFODNN7EXAMPLE", &[]),
            (&format!("{aws} secret_access_key={aws}x"), &[]),
        ],
    );
    let google = format!("AIza{}", "Sy0-_".repeat(7));
    let id = "0123456789abcdef0123456789abcdef01234567";
    check(
        Detector::GcpKey,
        &[
            (&format!("?key={google}&x"), &[&google]),
            (&format!("\"private_key_id\": \"{id}\""), &[id]),
            (&format!("{google}z {id}"), &[]),
        ],
    );
    let (token, fine) = (format!("ghp_{}", "a1B2".repeat(9)), format!("github_pat_{}", "a1_2".repeat(20)));
    check(
        Detector::GithubToken,
        &[(&format!("https://x:{token}@github.com {fine}"), &[&token, &fine]), ("ghp_short xghp_ ghp_", &[])],
    );
}

/// Lines that have numbers of every kind in them, and nobody's.
#[test]
fn ordinary_lines_raise_no_alarm() {
    for line in [
        "2026-11-23T09:38:09.123456Z INFO request id=7f3c2a10-9b1e-4c55-8d0a-2f6f1d3e4b5c took 12.345ms",
        "10.0.0.12 - - [23/Nov/2026:09:38:09 +0000] \"GET /v1/items/48213?page=2 HTTP/1.1\" 200 5316",
        "order 1002348 shipped 3 items, total 129.90 EUR, weight 2.350 kg, tracking 1Z999",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 ok",
        "version 18.1.0 (Debian 18.1-1.pgdg12+2), compiled by gcc 12.2.0, 64-bit",
        "1763890689 1763890689123 1763890689123456",
        "52.520008, 13.404954; -33.868820, 151.209290",
        "SELECT id FROM t WHERE created >= '2026-01-01' AND n BETWEEN 100 AND 99999 LIMIT 50",
    ] {
        assert_eq!(found(&Detector::ALL, line), Vec::<&str>::new(), "{line}");
    }
}

#[test]
fn findings_that_overlap_become_one() {
    let detectors =
        [(Detector::BrCpf, Tags::one(0)), (Detector::PlPesel, Tags::one(1)), (Detector::Email, Tags::one(2))];
    let scanner = Scanner::new(&detectors, &[("44051401359@", Tags::one(3))]).unwrap();
    let all: Tags = (0..4).map(Tags::one).collect();
    let findings = scanner.find(b"x 44051401359@example.com", all);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].range, 2..25);
    assert_eq!(findings[0].tags, Tags::one(1) | Tags::one(2) | Tags::one(3));
}

#[test]
fn what_is_revealed_hides_nothing_of_what_is_not() {
    let patterns = [("secret [a-z]+", Tags::one(0)), ("[a-z]+ plan", Tags::one(1))];
    let scanner = Scanner::new(&[], &patterns).unwrap();
    let ranges = |hidden| {
        scanner
            .find(b"the secret master plan", hidden)
            .into_iter()
            .map(|one| (one.range.start, one.range.end))
            .collect::<Vec<_>>()
    };
    assert_eq!(ranges(Tags::one(1)), vec![(11, 22)]);
    assert_eq!(ranges(Tags::one(0)), vec![(4, 17)]);
    assert!(ranges(Tags::NONE).is_empty());
}

#[test]
fn findings_end_between_characters() {
    let ends = |pattern, text: &str| {
        let findings = Scanner::new(&[], &[(pattern, Tags::one(0))]).unwrap().find(text.as_bytes(), Tags::one(0));
        findings.into_iter().map(|one| text.get(one.range).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ends("(?-u:\\x9f)", "a🔑b"), ["🔑"]);
    assert_eq!(ends("(?-u:\\xc3)", "aéb"), ["é"]);
    assert_eq!(ends("(?-u:\\xa9)", "éé"), ["é", "é"]);
    let local = "é".repeat(50);
    assert!(found(&[Detector::Email], &format!("x{local}@example.com"))[0].ends_with("é@example.com"));
}

#[test]
fn expressions_that_cannot_serve_are_refused() {
    for (pattern, told) in [("a(", "no regular expression"), ("a*", "nothing at all"), ("(\\w{500}){500}", "too large")]
    {
        let Err(why) = Scanner::new(&[], &[(pattern, Tags::one(0))]) else { panic!("{pattern} is accepted") };
        assert!(why.to_string().contains(told), "{pattern}: {why}");
    }
}

/// Texts that would be slow if any look were not bounded: a second is a thousand times what it takes.
#[test]
fn cost_grows_with_the_length_alone() {
    let detectors = Detector::ALL.map(|detector| (detector, Tags::one(0)));
    let scanner = Scanner::new(&detectors, &[]).unwrap();
    for unit in [
        "@",
        "a@",
        "1",
        "1 ",
        "1-",
        "4111 ",
        "eyJ",
        "eyJ.",
        "eyJaaaaaaaaa.",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN ",
        "ghp_",
        "ya29.",
        "GB82",
        "+1",
        "+1 ",
        "(",
        "AKIA",
        "secret_access_key=",
        "a.",
        "\\",
    ] {
        let text = unit.repeat((1 << 16) / unit.len());
        // The thread's own time: what else the machine does is no concern of this test's.
        let spent = || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let began = spent();
        scanner.find(text.as_bytes(), Tags::one(0));
        let took = spent() - began;
        assert!(took.tv_sec < 1, "{unit:?} took {took:?}");
    }
}

fn piece() -> impl Strategy<Value = String> {
    let words = [
        "ada@example.com",
        "@",
        ".",
        "4111111111111111",
        "4111 1111 ",
        "GB82WEST12345698765432",
        "+49 30 901820",
        "078-05-1120",
        "12345678Z",
        "529.982.247-25",
        "131052-308T",
        "eyJhbGciOiJub25lIn0.",
        "-----BEGIN PRIVATE KEY-----",
        "-----END ",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_",
        "\\n",
        "\"",
        "é",
        "🔑",
        "-",
        " ",
        "0",
        "1234",
        "x",
    ];
    prop_oneof![4 => proptest::sample::select(words.to_vec()).prop_map(String::from), 1 => ".{0,12}"]
}

proptest! {
    #[test]
    fn findings_lie_within_the_text_in_order(pieces in prop::collection::vec(piece(), 0..12), cut in any::<prop::sample::Index>()) {
        let text = pieces.concat().into_bytes();
        // Cut anywhere, within a character too.
        let text = &text[..cut.index(text.len() + 1)];
        let detectors = Detector::ALL.map(|detector| (detector, Tags::one(0)));
        let findings = Scanner::new(&detectors, &[]).unwrap().find(text, Tags::one(0));
        let mut end = 0;
        for finding in findings {
            prop_assert!(finding.range.start >= end && finding.range.start < finding.range.end);
            end = finding.range.end;
        }
        prop_assert!(end <= text.len());
    }
}
