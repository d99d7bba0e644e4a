use std::collections::BTreeSet;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(2);

fn authority(state: State) -> Authority {
    let key_kind: KeyKind = "ec-p256".parse().unwrap();
    let handle = Handle::new(Timestamp::from_millis(1), [1; 10]);
    Authority {
        handle,
        tenant: TenantId::DEFAULT,
        principal: handle,
        name: "root".into(),
        kind: AuthorityKind::Root,
        token: "main".into(),
        key_kind,
        scheme: key_kind.default_scheme(),
        spec: CsrSpec::default(),
        state,
        key: None,
        csr: None,
        version: None,
        parent: None,
        submission: None,
        failure: None,
        created_at: Timestamp::from_millis(1),
        updated_at: Timestamp::from_millis(1),
    }
}

fn commands() -> [Command; 7] {
    [
        Command::KeyMade { key: Handle::new(NOW, [2; 10]) },
        Command::Requested { csr: vec![1] },
        Command::Certified { version: 1, fingerprint: "f".into(), parent: None },
        Command::Disable,
        Command::Enable,
        Command::Delete,
        Command::Fail { reason: "r".into() },
    ]
}

/// The arrows of the drawing in the doc comment of [`State`].
fn drawn() -> BTreeSet<(String, String)> {
    let lines = include_str!("mod.rs").lines();
    let drawing =
        lines.skip_while(|line| !line.contains("```text")).skip(1).take_while(|l| !l.contains("```"));
    let arrows = drawing.flat_map(|line| {
        let (from, to) = line.trim_start_matches("///").split_once("->").unwrap();
        let from = from.trim_end_matches('-').trim().to_owned();
        to.split('|').map(move |to| (from.clone(), to.trim().to_owned()))
    });
    arrows.collect()
}

#[test]
fn the_drawing_is_what_apply_does() {
    let mut done = BTreeSet::new();
    for state in State::ALL {
        for key in [None, Some(Handle::new(NOW, [2; 10]))] {
            for command in commands() {
                if let Ok((after, _)) = (Authority { key, ..authority(state) }).apply(command, NOW)
                    && after.state != state
                {
                    done.insert((state.to_string(), after.state.to_string()));
                }
            }
        }
    }
    assert_eq!(done, drawn());
    assert_eq!(done.len(), 9);
}

#[test]
fn nothing_is_signed_for_an_authority_without_its_key() {
    for command in [commands()[1].clone(), commands()[2].clone()] {
        let conflict = authority(State::Making).apply(command, NOW).unwrap_err();
        assert_eq!(conflict.state, State::Making);
    }
    let (made, event) = authority(State::Making).apply(commands()[0].clone(), NOW).unwrap();
    assert_eq!((made.state, event.action), (State::Making, "authority.key-made"));
    assert!(made.apply(commands()[0].clone(), NOW).is_err(), "a second key");
}

#[test]
fn a_disabled_authority_takes_no_new_certificate() {
    let conflict = authority(State::Disabled).apply(commands()[2].clone(), NOW).unwrap_err();
    assert!(conflict.to_string().ends_with("is disabled and cannot be given a certificate"), "{conflict}");
}

#[test]
fn names_are_plain_and_no_handles() {
    for good in ["root", "Issuing-CA_2.1", "x"] {
        check_name(good).unwrap();
    }
    for wrong in ["", "a b", "a/b", "é", &"x".repeat(65), "019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11"] {
        assert_eq!(check_name(wrong).unwrap_err().field, "name", "{wrong}");
    }
}
