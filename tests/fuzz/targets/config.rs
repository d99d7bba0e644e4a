//! A configuration that is read says what its TOML says; one that is refused is told the line or the
//! field.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use strongroom::config::Config;
use tempfile::TempDir;

static DIRECTORY: LazyLock<TempDir> =
    LazyLock::new(|| TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap());

fuzz_target!(|text: &str| {
    // It may name a profile's file, and not every file there is ends.
    if text.contains("/dev") || text.contains("/proc") {
        return;
    }
    let file = DIRECTORY.path().join("strongroom.toml");
    std::fs::write(&file, text).unwrap();
    let config = match Config::load(&file) {
        Ok(config) => config,
        Err(error) => {
            let error = error.to_string();
            let named = ["line ", "`", "version"].iter().any(|place| error.contains(place));
            assert!(named, "{error}");
            return;
        }
    };
    let written: toml::Table = text.parse().unwrap();
    assert_eq!(written["version"].as_integer(), Some(1));
    let names: Vec<_> = written["tokens"].as_table().unwrap().keys().collect();
    assert_eq!(config.tokens.keys().collect::<Vec<_>>(), names);
    assert!(config.default_token.is_none_or(|name| config.tokens.contains_key(&name)));
    assert!(config.data_dir.is_absolute());
    for token in config.tokens.values() {
        assert!(token.label.is_some() || token.serial.is_some());
        assert!(token.pin_file.is_absolute());
        assert!(!token.profile.keys.is_empty());
        assert!(token.sessions.is_none_or(|sessions| (1..=64).contains(&sessions)));
    }
});
