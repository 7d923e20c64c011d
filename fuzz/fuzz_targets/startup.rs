//! The first packets of a Postgres connection: read as they were written or refused, and what a
//! login asks for is always something that policy can decide on.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use portcullis_postgres::classify;
use portcullis_postgres::wire::startup::{First, MAX_STARTUP, Startup, first, length};

fuzz_target!(|bytes: &[u8]| {
    let Some((prefix, body)) = bytes.split_first_chunk::<4>() else { return };
    if let Ok(length) = length(*prefix) {
        assert!((4..=MAX_STARTUP - 4).contains(&length));
    }
    match first(body) {
        Ok(First::Startup(startup)) => started(&startup, body),
        Ok(First::Cancel { process, key }) => {
            assert!((4..=256).contains(&key.len()));
            assert_eq!([&80_877_102_u32.to_be_bytes()[..], &process.to_be_bytes(), &key].concat(), body);
        }
        Ok(First::Ssl | First::GssEnc) => assert_eq!(body.len(), 4),
        Err(_) => {}
    }
});

fn started(startup: &Startup, body: &[u8]) {
    let mut again = [&3_u16.to_be_bytes()[..], &startup.minor.to_be_bytes()].concat();
    for (name, value) in &startup.parameters {
        again.extend([name.as_bytes(), &[0], value.as_bytes(), &[0]].concat());
    }
    again.push(0);
    assert_eq!(again, body, "the packet is not what was read of it");
    let names: HashSet<&String> = startup.parameters.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), startup.parameters.len(), "a name counts twice");
    assert!(startup.get("database").is_none_or(str::is_empty) || !startup.database().is_empty());

    let effects = classify::connect(startup, true);
    assert!(!effects.list().is_empty());
    assert_eq!(format!("{effects:?}"), format!("{:?}", classify::connect(startup, true)));
}
