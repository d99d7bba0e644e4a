//! What holds for every command, found by walking the manual pages: one for each.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::done;
use crate::harness::{Appliance, BINARY};

#[test]
fn completions_and_manual_pages_cover_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = done(&Command::new(BINARY).args(["completions", shell]).output().unwrap());
        assert!(script.contains("set-pin") && script.contains("--ca-file") || shell == "fish", "{script}");
        assert!(!script.contains("worker"), "what the service starts is nobody's to type");
    }
    let commands = commands();
    assert!(commands.len() > 60, "{commands:?}");
    for words in &commands {
        let help = done(&Command::new(BINARY).args(words).arg("--help").output().unwrap());
        let is_group = help.contains("\nCommands:\n");
        assert!(is_group || help.contains("\n  strongroom "), "{words:?} has no example: {help}");
        assert!(help.contains("--json"), "{words:?}");
    }
}

/// Without arguments: what needs some is a wrong usage. `serve` finds that a service runs.
#[test]
fn every_command_answers_in_json_however_it_ends() {
    let appliance = Appliance::new();
    let _service = appliance.start_ready();
    for words in commands() {
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.push("--json");
        let output = appliance.cli(&words);
        let (said, talk) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        let code = output.status.code().unwrap();
        let text = if code == 0 { &said } else { &talk };
        let answer: Result<Value, _> = serde_json::from_str(text);
        assert!(answer.is_ok_and(|answer| answer.is_object()), "{words:?} ({code}): {said}{talk}");
        assert!(code <= 2, "{words:?}: {code}");
    }
}

/// The words of every command, from the synopses of the manual pages.
fn commands() -> Vec<Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let man = Command::new(BINARY).arg("man").arg("--out").arg(dir.path()).output().unwrap();
    assert_eq!(man.status.code(), Some(0), "{man:?}");
    let pages =
        fs::read_dir(dir.path()).unwrap().map(|page| fs::read_to_string(page.unwrap().path()).unwrap());
    let words = pages.map(|page| {
        let synopsis = page.split_once(".SH SYNOPSIS\n\\fBstrongroom").expect("a synopsis").1;
        let command = synopsis.split_once("\\fR").unwrap().0.replace('\\', "");
        command.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    });
    let mut words: Vec<_> = words.filter(|words| !words.is_empty()).collect();
    words.sort();
    words
}
