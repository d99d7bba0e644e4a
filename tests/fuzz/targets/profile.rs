//! A profile that is read can work; one that is refused is told the line or the field. It reaches the
//! worker as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom::hsm::profile::Profile;

fuzz_target!(|text: &str| {
    let profile = match Profile::from_toml(text) {
        Ok(profile) => profile,
        Err(error) => {
            let error = error.to_string();
            let named = ["line ", "schema", "sessions.", "deadlines.", "algorithms."];
            assert!(named.iter().any(|place| error.contains(place)), "{error}");
            return;
        }
    };
    let written: toml::Table = text.parse().unwrap();
    assert_eq!(written["name"].as_str(), Some(profile.name.as_str()));
    assert!((1..=64).contains(&profile.sessions));
    assert!(!profile.keys.is_empty());
    let deadlines = profile.deadlines;
    for deadline in
        [deadlines.start, deadlines.sign, deadlines.generate_ec, deadlines.generate_rsa, deadlines.other]
    {
        assert!(!deadline.is_zero());
    }
    let sent = serde_json::to_string(&profile).unwrap();
    assert_eq!(serde_json::from_str::<Profile>(&sent).unwrap(), profile);
});
