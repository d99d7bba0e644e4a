//! An outsider, with the index or an export and a checkpoint, finds every edit: by the command, and by a
//! script that shares nothing with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;

use super::{says, script_says};
use crate::harness::Appliance;

/// One edit of record 5 in each column, then of the rows.
const EDITS: [&str; 19] = [
    "UPDATE audit SET seq = 500 WHERE seq = 5",
    "UPDATE audit SET at = at + 1 WHERE seq = 5",
    "UPDATE audit SET version = 1 WHERE seq = 5",
    "UPDATE audit SET actor = 'system ' WHERE seq = 5",
    "UPDATE audit SET name = 'mallory' WHERE seq = 5",
    "UPDATE audit SET origin = 'unix uid 1' WHERE seq = 5",
    "UPDATE audit SET tenant = 'another' WHERE seq = 5",
    "UPDATE audit SET action = 'key.made-up' WHERE seq = 5",
    "UPDATE audit SET outcome = 'refused' WHERE seq = 5",
    "UPDATE audit SET subject = 'x' WHERE seq = 5",
    "UPDATE audit SET reason = 'x' WHERE seq = 5",
    "UPDATE audit SET request_id = 'x' WHERE seq = 5",
    "UPDATE audit SET detail = detail || ' ' WHERE seq = 5",
    "UPDATE audit SET previous = zeroblob(32) WHERE seq = 5",
    "UPDATE audit SET hash = zeroblob(32) WHERE seq = 5",
    "UPDATE audit SET subject = CAST(x'ff' AS TEXT) WHERE seq = 5",
    "DELETE FROM audit WHERE seq = 5",
    "UPDATE audit SET seq = 1000 WHERE seq = 5; UPDATE audit SET seq = 5 WHERE seq = 6;
     UPDATE audit SET seq = 6 WHERE seq = 1000",
    "UPDATE audit SET seq = -seq WHERE seq >= 5; UPDATE audit SET seq = 1 - seq WHERE seq < 0;
     INSERT INTO audit SELECT 5, at, actor, action, subject, detail, previous, hash, version, name, origin, tenant,
     outcome, reason, request_id FROM audit WHERE seq = 4",
];

#[test]
fn every_edit_of_the_index_or_of_an_export_is_found() {
    let appliance = Appliance::new();
    let mut service = appliance.start_ready();
    for n in 0..5 {
        service.create(&format!("n{n}.example"));
    }
    let export = appliance.path("audit.jsonl");
    let export = export.to_str().unwrap();
    let kept = appliance.path("kept.txt");
    let (code, checkpoint) = says(&appliance, &["audit", "checkpoint"]);
    assert_eq!(code, 0, "{checkpoint}");
    fs::write(&kept, checkpoint).unwrap();
    let kept = kept.to_str().unwrap();
    let (code, said) = says(&appliance, &["audit", "export", "--out", export]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(fs::metadata(export).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(says(&appliance, &["audit", "export", "--out", export]).0, 1, "no file is overwritten");
    assert_eq!(says(&appliance, &["audit", "verify", "--checkpoint", kept]).0, 0);
    service.stop();

    let index = appliance.data("strongroom.db");
    let index = index.to_str().unwrap();
    let sound = script_says(&[index, kept]);
    assert_eq!(sound.0, 0, "{sound:?}");
    assert_eq!(script_says(&[export, kept]), sound, "index and export are the same chain");
    assert_eq!(says(&appliance, &["audit", "verify", "--file", export, "--checkpoint", kept]).0, 0);

    for edit in EDITS {
        let copy = appliance.path("copy.db");
        fs::copy(index, &copy).unwrap();
        let edited = Connection::open(&copy).unwrap();
        edited
            .execute_batch("DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_deleted")
            .unwrap();
        edited.execute_batch(edit).unwrap_or_else(|error| panic!("{edit}: {error}"));
        drop(edited);
        let (code, said) = script_says(&[copy.to_str().unwrap(), kept]);
        assert!(code == 1 && said.starts_with("record 5: "), "{edit}: {said}");
    }

    let lines: Vec<String> = fs::read_to_string(export).unwrap().lines().map(str::to_owned).collect();
    let last = lines.len();
    let found = |lines: &[String], has_kept: bool| {
        let copy = appliance.path("copy.jsonl");
        fs::write(&copy, lines.join("\n") + "\n").unwrap();
        let copy = copy.to_str().unwrap();
        let (mut command, mut script) = (vec!["audit", "verify", "--file", copy], vec![copy]);
        if has_kept {
            command.extend(["--checkpoint", kept]);
            script.push(kept);
        }
        let (ours, theirs) = (says(&appliance, &command), script_says(&script));
        assert_eq!(ours.0, theirs.0, "{ours:?} {theirs:?}");
        ours
    };
    assert_eq!(found(&lines, true).0, 0);
    let fields: serde_json::Value = serde_json::from_str(&lines[4]).unwrap();
    for (field, value) in fields.as_object().unwrap() {
        let mut edited = fields.clone();
        edited[field] = match value.as_str() {
            // A digit of a time or of a hash.
            Some(text) if ["at", "previous", "hash"].contains(&field.as_str()) => {
                let digit = if text.contains("7") { ("7", "6") } else { ("1", "2") };
                text.replacen(digit.0, digit.1, 1).into()
            }
            Some(text) => format!("{text}x").into(),
            None => 2_000_000.into(),
        };
        assert_ne!(edited, fields, "{field}");
        let mut copy = lines.clone();
        copy[4] = edited.to_string();
        let (code, said) = found(&copy, false);
        let named = said.contains("record 5 ") || said.contains("line 5 is no record");
        assert!(code == 1 && named, "{field}: {said}");
    }
    for (what, copy, is_kept) in [
        ("dropped", [&lines[..4], &lines[5..]].concat(), false),
        ("swapped", [&lines[..4], &[lines[5].clone(), lines[4].clone()], &lines[6..]].concat(), false),
        ("inserted", [&lines[..5], &lines[4..]].concat(), false),
        ("cut off", lines[..last - 1].to_vec(), true),
        ("cut in a line", [&lines[..last - 1], &[lines[last - 1][..40].to_owned()]].concat(), false),
    ] {
        let (code, said) = found(&copy, is_kept);
        assert_eq!(code, 1, "{what}: {said}");
    }
}
