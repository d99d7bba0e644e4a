//! Refusals on record, in bounded space: the first of a kind at once, its repetitions within a minute
//! as one more record with their number.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::app::{App, Error};
use crate::domain::audit::{Actor, Refusal};

/// Repetitions within this time are one record.
const TOGETHER: Duration = Duration::from_secs(60);

/// Kinds that are told apart at once; those beyond share one, so that no flood of different refusals
/// fills the disk.
const MOST: usize = 1000;

/// What was refused in the last minute.
#[derive(Default)]
pub(in crate::app) struct Refusals(Mutex<HashMap<Alike, Repeated>>);

/// Refusals with the same are one kind: actor, origin, action, subject and reason.
type Alike = (String, String, String, String, String);

/// Whose, and what.
type Refused = (Actor, Refusal);

struct Repeated {
    since: Instant,
    times: u64,
    last: Refused,
}

impl App {
    /// Puts a refusal on record. When this answers, it is, or was counted with others like it.
    ///
    /// # Errors
    /// The index cannot be written.
    pub async fn refused(&self, actor: Actor, refusal: Refusal) -> Result<(), Error> {
        match self.0.refusals.count(actor, refusal, Instant::now()) {
            Some(first) => self.record_refusals(vec![(first, 1)]).await,
            None => Ok(()),
        }
    }

    /// Puts the repetitions of the last minute on record; with `all`, also of the present one.
    ///
    /// # Errors
    /// The index cannot be written.
    pub async fn record_repeated_refusals(&self, all: bool) -> Result<(), Error> {
        let due = self.0.refusals.due(Instant::now(), all);
        if due.is_empty() { Ok(()) } else { self.record_refusals(due).await }
    }

    /// What cannot be written now is counted again, to be written later.
    async fn record_refusals(&self, refusals: Vec<(Refused, u64)>) -> Result<(), Error> {
        let now = self.now();
        let records = refusals.clone();
        let recorded: Result<(), Error> = self
            .0
            .store
            .write(move |tx| {
                let mut records = records.iter().map(|(refused, _)| refused);
                Ok(records.try_for_each(|(actor, refusal)| tx.append_refusal(actor, now, refusal))?)
            })
            .await;
        if recorded.is_err() {
            refusals.into_iter().for_each(|(refused, times)| self.0.refusals.missed(refused, times));
        }
        recorded
    }
}

impl Refusals {
    /// The refusal, if it is the first of its kind.
    fn count(&self, actor: Actor, refusal: Refusal, now: Instant) -> Option<Refused> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut alike = alike(&actor, &refusal);
        if kinds.len() >= MOST && !kinds.contains_key(&alike) {
            alike = Alike::default();
        }
        if let Some(repeated) = kinds.get_mut(&alike) {
            repeated.times += 1;
            repeated.last = (actor, refusal);
            return None;
        }
        let first = (actor, refusal);
        kinds.insert(alike, Repeated { since: now, times: 0, last: first.clone() });
        Some(first)
    }

    /// What was repeated in minutes that are over: one refusal for each kind, with the number.
    fn due(&self, now: Instant, all: bool) -> Vec<(Refused, u64)> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |_: &Alike, repeated: &mut Repeated| all || now - repeated.since >= TOGETHER;
        let over = kinds.extract_if(over).filter(|(_, repeated)| repeated.times > 0);
        over.map(|(alike, repeated)| {
            let (actor, mut refusal) = repeated.last;
            refusal.detail["repeated"] = json!(repeated.times);
            if alike == Alike::default() {
                refusal.detail["of_many_kinds"] = json!(true);
            }
            ((actor, refusal), repeated.times)
        })
        .collect()
    }

    fn missed(&self, refused: Refused, times: u64) {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = Instant::now();
        let kind = kinds.entry(alike(&refused.0, &refused.1));
        kind.or_insert(Repeated { since, times: 0, last: refused }).times += times;
    }
}

/// The port of an address changes with every connection. Whoever is unknown is told apart by where he
/// comes from and nothing that he says.
fn alike(actor: &Actor, refusal: &Refusal) -> Alike {
    let Refusal { action, subject, reason, .. } = refusal.clone();
    match actor {
        Actor::Unknown { from, .. } => {
            (actor.to_string(), without_port(from), String::new(), String::new(), reason)
        }
        Actor::Principal { from, .. } => (actor.to_string(), without_port(from), action, subject, reason),
        Actor::Uid(_) | Actor::System => (actor.to_string(), String::new(), action, subject, reason),
    }
}

fn without_port(from: &str) -> String {
    from.rsplit_once(':').map_or(from, |(address, _)| address).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(from: &str) -> Actor {
        Actor::Unknown { from: from.to_owned(), request: "1".to_owned() }
    }

    fn refusal(action: &str) -> Refusal {
        let (action, reason) = (action.to_owned(), "auth.unauthenticated".to_owned());
        Refusal { action, subject: String::new(), reason, detail: json!({ "status": 401 }) }
    }

    #[test]
    fn repetitions_are_one_record_with_their_number() {
        let refusals = Refusals::default();
        let start = Instant::now();
        assert!(refusals.count(unknown("tcp 192.0.2.1:5000"), refusal("GET /keys"), start).is_some());
        for n in 0..500 {
            let actor = unknown(&format!("tcp 192.0.2.1:{n}"));
            assert!(refusals.count(actor, refusal(&format!("GET /{n}")), start).is_none());
        }
        assert!(refusals.count(unknown("tcp 192.0.2.2:5000"), refusal("GET /keys"), start).is_some());
        assert!(refusals.due(start + Duration::from_secs(59), false).is_empty());
        let due = refusals.due(start + TOGETHER, false);
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].0.1.detail["repeated"], 500);
        assert!(refusals.count(unknown("tcp 192.0.2.1:5000"), refusal("GET /keys"), start).is_some());
    }

    #[test]
    fn a_flood_from_many_places_is_bounded() {
        let refusals = Refusals::default();
        let start = Instant::now();
        let recorded = (0..10_000).filter(|n| {
            refusals.count(unknown(&format!("tcp {n}:1")), refusal("GET /keys"), start).is_some()
        });
        assert_eq!(recorded.count(), MOST + 1);
        let due = refusals.due(start, true);
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].0.1.detail["repeated"], 10_000 - MOST as u64 - 1);
    }
}
