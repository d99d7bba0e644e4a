//! The whole state space: who decides, when, on what, and what he says that he saw.

use std::collections::BTreeSet;

use super::*;
use crate::domain::access::TenantId;
use crate::domain::algorithm::KeyKind;
use crate::domain::csr::ChallengePassword;
use crate::domain::signing_request::{Command, KeySource, State, TemplateUse};

const REQUESTER: u8 = 1;
const OTHER: u8 = 2;
const RECORDED: [u8; 32] = [1; 32];
const ELSE: [u8; 32] = [2; 32];
const DEADLINE: Timestamp = Timestamp::from_millis(100);

fn handle(n: u8) -> Handle {
    Handle::new(Timestamp::from_millis(1), [n; 10])
}

fn request(state: State) -> SigningRequest {
    let kind: KeyKind = "ec-p256".parse().unwrap();
    SigningRequest {
        handle: handle(9),
        tenant: TenantId::DEFAULT,
        number: 1,
        principal: handle(REQUESTER),
        token: "main".into(),
        kind,
        scheme: kind.default_scheme(),
        spec: CsrSpec::default(),
        key_source: KeySource::New,
        renews: None,
        template: Some(TemplateUse { name: "web".into(), sha256: "00".into() }),
        authority: None,
        validity_days: Some(90),
        submission: None,
        continues: false,
        state,
        key: None,
        csr: None,
        failure: None,
        created_at: Timestamp::from_millis(1),
        updated_at: Timestamp::from_millis(1),
    }
}

/// Every state, with every command that another pair of eyes can give, by everybody, at every time, of
/// everything. What goes through is exactly what the rules say, written down here a second time.
#[test]
fn only_somebody_else_approves_in_time_what_was_asked_and_only_while_it_waits() {
    let (mut tried, mut approved) = (0, BTreeSet::new());
    for state in State::ALL {
        for principal in [REQUESTER, OTHER] {
            for is_local in [false, true] {
                for by in [&[][..], &["carol".to_owned()], &["bob".to_owned(), "carol".to_owned()]] {
                    for now in [99, 100, 101] {
                        for is in [Some(RECORDED), Some(ELSE), None] {
                            for seen in [None, Some(RECORDED), Some(ELSE)] {
                                for approves in [true, false] {
                                    let asked = Asked {
                                        requester: handle(REQUESTER),
                                        recorded: RECORDED,
                                        now: is,
                                        by,
                                        expires_at: DEADLINE,
                                    };
                                    let who = Decider { principal: handle(principal), name: "bob", is_local };
                                    let now = Timestamp::from_millis(now);
                                    let (decided, command) = if approves {
                                        (approve(&asked, &who, seen, now), Command::Approve)
                                    } else {
                                        let reason = "r".to_owned();
                                        (reject(&asked, &who, now), Command::Reject { reason })
                                    };
                                    let after =
                                        decided.ok().and_then(|()| request(state).apply(command, now).ok());
                                    let may = principal == OTHER
                                        && !is_local
                                        && (by.is_empty() || by.iter().any(|name| name == "bob"))
                                        && now < DEADLINE;
                                    let same = is == Some(RECORDED) && seen != Some(ELSE);
                                    let expected =
                                        (state == State::AwaitingApproval) && may && (same || !approves);
                                    assert_eq!(
                                        after.is_some(),
                                        expected,
                                        "{state} {asked:?} {who:?} {seen:?}"
                                    );
                                    if let Some((after, event)) = after {
                                        let next = if approves { State::Intent } else { State::Rejected };
                                        assert_eq!(after.state, next);
                                        assert_eq!(after.continues, approves);
                                        approved.insert(event.action);
                                    }
                                    tried += 1;
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(tried, State::ALL.len() * 2 * 2 * 3 * 3 * 3 * 3 * 2);
    assert_eq!(approved.len(), 2, "both happened: {approved:?}");
}

#[test]
fn a_refusal_says_first_who_then_when_then_what() {
    let asked = Asked {
        requester: handle(REQUESTER),
        recorded: RECORDED,
        now: Some(ELSE),
        by: &["carol".to_owned()],
        expires_at: DEADLINE,
    };
    let (late, early) = (Timestamp::from_millis(200), Timestamp::from_millis(1));
    let who = |principal, name, is_local| Decider { principal: handle(principal), name, is_local };
    for (decider, now, refusal) in [
        (who(REQUESTER, "carol", true), late, Refusal::Own),
        (who(OTHER, "carol", true), late, Refusal::Local),
        (who(OTHER, "bob", false), late, Refusal::NotNamed),
        (who(OTHER, "carol", false), late, Refusal::Expired),
        (who(OTHER, "carol", false), early, Refusal::Changed),
    ] {
        assert_eq!(approve(&asked, &decider, None, now), Err(refusal));
    }
}

#[test]
fn the_hash_is_of_everything_that_was_asked_but_the_password() {
    let asked = request(State::AwaitingApproval);
    let mut seen = BTreeSet::from([asked_sha256(&asked)]);
    let changed: [fn(&mut SigningRequest); 10] = [
        |request| request.handle = handle(8),
        |request| request.principal = handle(OTHER),
        |request| request.tenant = TenantId(2),
        |request| request.token = "other".into(),
        |request| request.kind = "ec-p384".parse().unwrap(),
        |request| request.spec.subject = "CN=a".parse().unwrap(),
        |request| request.spec.challenge_password = Some(ChallengePassword::new("one".into())),
        |request| request.key = Some(handle(7)),
        |request| request.template = None,
        |request| request.validity_days = None,
    ];
    for change in changed {
        let mut other = asked.clone();
        change(&mut other);
        assert!(seen.insert(asked_sha256(&other)), "{other:?}");
    }
    let with = |password: &str| {
        let mut request = asked.clone();
        request.spec.challenge_password = Some(ChallengePassword::new(password.into()));
        asked_sha256(&request)
    };
    assert_eq!(with("one"), with("two"));
    let mut later = asked.clone();
    later.updated_at = Timestamp::from_millis(5);
    assert_eq!(asked_sha256(&later), asked_sha256(&asked));
}
