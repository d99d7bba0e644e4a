use super::*;

fn place(seq: u64, previous: [u8; 32]) -> Place {
    Place { seq, previous, at: Timestamp::from_millis(seq as i64) }
}

/// Records of both versions: of the first, up to `old`.
fn chain(old: u64, length: u64) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for seq in 1..=length {
        let place = place(seq, records.last().map_or(GENESIS, |record| record.hash));
        let event = Event {
            action: "key.destroyed",
            subject: format!("key {seq}"),
            detail: serde_json::json!({ "n": seq, "reason": "on purpose" }),
        };
        let actor = Actor::Principal {
            handle: Handle::new(place.at, [7; 10]),
            from: "unix uid 1000".into(),
            tenant: Some(TenantId::DEFAULT),
            request: format!("request {seq}"),
        };
        let names = Names { principal: "alice".into(), tenant: "default".into() };
        let mut record = Record::done(place, &actor, names, &event);
        if seq <= old {
            record.version = 1;
            for text in [
                &mut record.name,
                &mut record.origin,
                &mut record.tenant,
                &mut record.reason,
                &mut record.request_id,
            ] {
                text.clear();
            }
            record.hash = record.computed_hash().unwrap();
        }
        records.push(record);
    }
    records
}

type Edit = (&'static str, fn(&mut Record));

const EDITS: [Edit; 15] = [
    ("seq", |record| record.seq += 20_000),
    ("at", |record| record.at = record.at.plus_millis(1)),
    ("version", |record| record.version = 3 - record.version),
    ("actor", |record| record.actor.push(' ')),
    ("name", |record| record.name.push('x')),
    ("origin", |record| record.origin.push('x')),
    ("tenant", |record| record.tenant.push('x')),
    ("action", |record| record.action.push('x')),
    ("outcome", |record| record.outcome = "refused".into()),
    ("subject", |record| record.subject.push('x')),
    ("reason", |record| record.reason.push('x')),
    ("request id", |record| record.request_id.push('x')),
    ("detail", |record| record.detail.push(' ')),
    ("previous", |record| record.previous[31] ^= 1),
    ("hash", |record| record.hash[0] ^= 1),
];

#[test]
fn an_untouched_chain_of_both_versions_holds() {
    let records = chain(10, 20);
    assert_eq!(verify_chain(records.clone()).unwrap(), records[19].hash);
}

/// Places in a log of 10,000 records: both ends, both sides of the change of version, and some between.
const PLACES: [usize; 12] = [0, 1, 2, 777, 4_998, 4_999, 5_000, 5_001, 7_321, 9_997, 9_998, 9_999];

#[test]
fn every_single_edit_of_a_log_of_ten_thousand_records_is_found() {
    let mut records = chain(5_000, 10_000);
    assert!(verify_chain(records.clone()).is_ok());
    // In place, for a copy of the log for each edit would take minutes.
    let first_broken = |records: &[Record], kept: Option<(u64, [u8; 32])>| {
        let mut verifier = Verifier::new(kept);
        records.iter().for_each(|record| verifier.check(record));
        verifier.verdict().broken().map(|broken| broken.seq)
    };
    let kept = (10_000, records[9_999].hash);
    for at in PLACES {
        let (seq, original) = (at as u64 + 1, records[at].clone());
        for (field, edit) in EDITS {
            edit(&mut records[at]);
            assert_eq!(first_broken(&records, None), Some(seq), "{field} of {seq}");
            // Whoever knows how writes the hash as well, and is found at the next record.
            if let Some(hash) = records[at].computed_hash().filter(|_| field != "seq" && field != "hash") {
                records[at].hash = hash;
                let found = first_broken(&records, Some(kept)).unwrap();
                assert!(
                    found == seq || found == seq + 1,
                    "{field} of {seq}, with its hash: found at {found}"
                );
            }
            records[at] = original.clone();
        }
        records.remove(at);
        assert_eq!(first_broken(&records, Some(kept)), Some(seq), "record {seq} dropped");
        records.insert(at, original.clone());
        records.insert(at, original);
        let inserted = first_broken(&records, None).unwrap();
        assert!(inserted == seq || inserted == seq + 1, "a copy of {seq} inserted: found at {inserted}");
        records.remove(at);
        if at < 9_999 {
            records.swap(at, at + 1);
            assert_eq!(first_broken(&records, None), Some(seq), "{seq} and the next swapped");
            records.swap(at, at + 1);
            let tail = records.split_off(at);
            assert_eq!(first_broken(&records, None), None, "a shorter log is sound to who kept nothing");
            assert_eq!(first_broken(&records, Some(kept)), Some(10_000), "cut off before {seq}");
            records.extend(tail);
        }
    }
    assert_eq!(first_broken(&records, Some(kept)), None, "every edit was undone");
}

#[test]
fn a_rewritten_chain_is_found_by_whoever_kept_a_checkpoint() {
    let kept = chain(0, 20)[14].clone();
    let mut verifier = Verifier::new(Some((kept.seq, kept.hash)));
    let mut rewritten = chain(0, 4);
    for seq in 5..=20 {
        let event = Event { action: "key.made-up", subject: "x".into(), detail: serde_json::json!({}) };
        let previous = rewritten.last().unwrap().hash;
        rewritten.push(Record::done(place(seq, previous), &Actor::System, Names::default(), &event));
    }
    verify_chain(rewritten.clone()).unwrap();
    rewritten.iter().for_each(|record| verifier.check(record));
    assert_eq!(verifier.verdict().broken().map(|broken| broken.seq), Some(15));
}

fn restarted(seq: u64) -> Record {
    let event = Event { action: RESTARTED, subject: "audit".into(), detail: serde_json::json!({}) };
    Record::done(place(seq, GENESIS), &Actor::System, Names::default(), &event)
}

fn verdict(records: &[Record], kept: Option<(u64, [u8; 32])>) -> Verdict {
    let mut verifier = Verifier::new(kept);
    records.iter().for_each(|record| verifier.check(record));
    verifier.verdict()
}

#[test]
fn a_new_start_acknowledges_the_damage_before_it_and_nothing_else() {
    let mut records = chain(0, 10);
    let kept = (8, records[7].hash);
    records[4].subject.push('x');
    records.push(restarted(11));
    let event = Event { action: "key.destroyed", subject: "x".into(), detail: serde_json::json!({}) };
    let after = Record::done(place(12, records[10].hash), &Actor::System, Names::default(), &event);
    records.push(after.clone());
    let found = verdict(&records, None);
    assert_eq!((found.damage.len(), found.damage[0].acknowledged), (1, Some(11)));
    assert_eq!((found.broken(), found.head.map(|head| head.hash)), (None, Some(after.hash)));

    let found = verdict(&records, Some(kept));
    assert_eq!(found.broken().map(|broken| broken.seq), Some(5), "the checkpoint covers what was changed");
    let found = verdict(&records, Some((12, after.hash)));
    assert_eq!(found.broken(), None, "it was known when this checkpoint was taken");

    records[11].subject.push('y');
    assert_eq!(verdict(&records, None).broken().map(|broken| broken.seq), Some(12));
    records[10].subject.push('y');
    assert_eq!(verdict(&records, None).broken().map(|broken| broken.seq), Some(5));

    let mut needless = chain(0, 3);
    needless.push(restarted(4));
    assert_eq!(verdict(&needless, None).broken().map(|broken| broken.seq), Some(4));
}

#[test]
fn a_record_says_who_from_where_what_and_why() {
    let record = chain(0, 1).remove(0);
    assert_eq!((record.name.as_str(), record.tenant.as_str()), ("alice", "default"));
    assert_eq!((record.origin.as_str(), record.request_id.as_str()), ("unix uid 1000", "request 1"));
    assert_eq!((record.outcome.as_str(), record.reason.as_str()), ("done", "on purpose"));
    assert_eq!(record.detail, r#"{"n":1}"#);
}

#[test]
fn moving_a_byte_between_fields_changes_the_hash() {
    let mut record = chain(0, 1).remove(0);
    record.actor = "ab".into();
    record.name = "c".into();
    let one = record.computed_hash();
    record.actor = "a".into();
    record.name = "bc".into();
    assert_ne!(one, record.computed_hash());
}

#[test]
fn a_checkpoint_is_read_as_it_was_written() {
    let at = Timestamp::from_millis(1_795_253_400_123);
    let checkpoint = Checkpoint { seq: 32, hash: [0xab; 32], at };
    let text = checkpoint.to_string();
    assert_eq!(
        text,
        "strongroom audit\n32\nq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=\n2026-11-21T09:30:00.123Z\n"
    );
    assert_eq!(text.parse(), Ok(checkpoint));
    assert_eq!(format!("{text}\n— somebody Az3grl\n").parse(), Ok(checkpoint));
    for (wrong, why) in
        [("", "first"), ("strongroom audit\nx", "second"), ("strongroom audit\n1\nAAAA", "third")]
    {
        assert!(wrong.parse::<Checkpoint>().unwrap_err().contains(why));
    }
}
