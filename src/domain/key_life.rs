//! The life of a key in the states of NIST SP 800-57 part 1 revision 5, section 7. They follow from
//! what is known anyway: where the key is, when its certificates are valid, what operators decided.

use super::clock::Timestamp;
use super::key::KeyState;
use super::named::named;

/// A state of SP 800-57.
///
/// ```text
///   pre-active ---> active <---> deactivated ---> destroyed
///        \             \             /               ^
///         +-------------+-----------+--> compromised -+
///         +-------------+-----------+--> suspended  --+
/// ```
///
/// A deactivated key becomes active again where one more certificate is married to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LifeState {
    /// Made; no certificate of its has been valid yet.
    PreActive,
    /// A certificate of its is valid.
    Active,
    /// It gave a wrong signature and signs nothing until somebody has looked into it.
    Suspended,
    /// Retired, or its certificates have all expired or been retired.
    Deactivated,
    /// An operator said that somebody else may have it. It signs nothing; there is no way back.
    Compromised,
    /// Gone from its token on purpose.
    Destroyed,
}

named!(LifeState {
    PreActive = "pre-active",
    Active = "active",
    Suspended = "suspended",
    Deactivated = "deactivated",
    Compromised = "compromised",
    Destroyed = "destroyed",
});

/// What is known of a key's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifeFacts {
    /// When it was made.
    pub created_at: Timestamp,
    /// Where it is.
    pub state: KeyState,
    /// Since when, where that is known.
    pub state_since: Option<Timestamp>,
    /// When it was retired.
    pub retired_at: Option<Timestamp>,
    /// When it is destroyed by itself, at the earliest.
    pub destroy_after: Option<Timestamp>,
    /// What an operator said.
    pub compromise: Option<Compromise>,
    /// When each of its certificates was, is or will be in use.
    pub certificates: Vec<InUse>,
}

/// An operator's word that somebody else may have the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compromise {
    /// When he said so.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// From when a certificate is married and valid, until it expires or is retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InUse {
    /// Begins.
    pub from: Timestamp,
    /// Ends, without this point.
    pub until: Timestamp,
}

/// The state of a key, and when it came to each that it went through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLife {
    /// Where it is.
    pub state: LifeState,
    /// When it came there, in the order of the states; what is not known is left out.
    pub dates: Vec<(LifeState, Timestamp)>,
}

impl LifeFacts {
    /// What follows from them at a time.
    pub fn at(&self, now: Timestamp) -> KeyLife {
        let begun: Vec<_> = self.certificates.iter().filter(|used| used.from <= now).collect();
        let activated = begun.iter().map(|used| used.from).min();
        let active = begun.iter().any(|used| now < used.until);
        let ended = begun.iter().map(|used| used.until).max().filter(|_| !active);
        let deactivated = ended.or(self.retired_at);
        let destroyed = self.state == KeyState::Destroyed;
        let suspended = self.state == KeyState::Quarantined;
        let compromised = self.compromise.as_ref().map(|compromise| compromise.at);
        let state = match () {
            () if destroyed => LifeState::Destroyed,
            () if compromised.is_some() => LifeState::Compromised,
            () if suspended => LifeState::Suspended,
            () if deactivated.is_some() => LifeState::Deactivated,
            () if active => LifeState::Active,
            () => LifeState::PreActive,
        };
        let dates = [
            (LifeState::PreActive, Some(self.created_at)),
            (LifeState::Active, activated),
            (LifeState::Suspended, self.state_since.filter(|_| suspended)),
            (LifeState::Deactivated, deactivated),
            (LifeState::Compromised, compromised),
            (LifeState::Destroyed, self.state_since.filter(|_| destroyed)),
        ];
        let dates = dates.into_iter().filter_map(|(state, at)| Some((state, at?))).collect();
        KeyLife { state, dates }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn made() -> LifeFacts {
        LifeFacts {
            created_at: at(1),
            state: KeyState::Present,
            state_since: None,
            retired_at: None,
            destroy_after: None,
            compromise: None,
            certificates: Vec::new(),
        }
    }

    fn with(certificates: &[(i64, i64)]) -> LifeFacts {
        let in_use = |&(from, until): &(i64, i64)| InUse { from: at(from), until: at(until) };
        LifeFacts { certificates: certificates.iter().map(in_use).collect(), ..made() }
    }

    #[test]
    fn certificates_carry_a_key_through_its_life() {
        use LifeState::{Active, Deactivated, PreActive};
        let facts = with(&[(10, 20), (15, 30), (40, 50)]);
        let states = [5, 10, 19, 25, 30, 35, 40, 50].map(|now| facts.at(at(now)).state);
        let expected = [PreActive, Active, Active, Active, Deactivated, Deactivated, Active, Deactivated];
        assert_eq!(states, expected);
        let dates = [(PreActive, at(1)), (Active, at(10)), (Deactivated, at(50))];
        assert_eq!(facts.at(at(60)).dates, dates);
    }

    #[test]
    fn a_key_without_certificates_is_deactivated_by_retiring_it() {
        let facts = LifeFacts { retired_at: Some(at(7)), ..made() };
        assert_eq!(facts.at(at(8)).state, LifeState::Deactivated);
        assert_eq!(facts.at(at(8)).dates[1], (LifeState::Deactivated, at(7)));
    }

    #[test]
    fn the_graver_state_counts_and_the_dates_of_all_are_kept() {
        let compromise = Some(Compromise { at: at(12), reason: "lost".into() });
        let facts = LifeFacts { compromise, ..with(&[(10, 20)]) };
        assert_eq!(facts.at(at(15)).state, LifeState::Compromised);
        let quarantined = LifeFacts { state: KeyState::Quarantined, state_since: Some(at(3)), ..made() };
        assert_eq!(quarantined.at(at(15)).state, LifeState::Suspended);
        let destroyed = LifeFacts { state: KeyState::Destroyed, state_since: Some(at(30)), ..facts };
        let life = destroyed.at(at(40));
        assert_eq!(life.state, LifeState::Destroyed);
        use LifeState::{Active, Compromised, Deactivated, Destroyed, PreActive};
        let states: Vec<_> = life.dates.iter().map(|(state, _)| *state).collect();
        assert_eq!(states, [PreActive, Active, Deactivated, Compromised, Destroyed]);
    }
}
