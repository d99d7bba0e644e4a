//! When the next worker is started.

use std::time::{Duration, Instant};

/// The first delay; doubles with each failure.
const FIRST: Duration = Duration::from_secs(1);

/// The longest delay, so that a returned HSM is in use within a minute.
const LONGEST: Duration = Duration::from_secs(30);

/// A worker that was up this long has shown that the HSM works: a new count starts. Also the time
/// between two restarts without delay, so that a module that dies on every call is not hammered.
const STEADY: Duration = Duration::from_secs(30);

/// Counts failures.
#[derive(Default)]
pub(super) struct Backoff {
    failures: u32,
    last_immediate: Option<Instant>,
}

impl Backoff {
    /// The delay after a worker ended at `now` that had been up for `up`, if it ever was. `random`
    /// spreads the delays of many tokens by up to a quarter.
    pub(super) fn delay(&mut self, up: Option<Duration>, now: Instant, random: u8) -> Duration {
        if up.is_some_and(|up| up >= STEADY) {
            self.failures = 0;
        }
        let rested = self.last_immediate.is_none_or(|last| now.duration_since(last) >= STEADY);
        if up.is_some() && rested {
            self.last_immediate = Some(now);
            return Duration::ZERO;
        }
        let base = FIRST.saturating_mul(1 << self.failures.min(5)).min(LONGEST);
        self.failures += 1;
        (base + base * u32::from(random) / 1024).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_death_after_coming_up_restarts_at_once_and_the_next_waits() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        let short = Some(Duration::from_millis(10));
        assert_eq!(backoff.delay(short, now, 0), Duration::ZERO);
        assert_eq!(backoff.delay(short, now, 0), Duration::from_secs(1));
        assert_eq!(backoff.delay(short, now + STEADY, 0), Duration::ZERO);
    }

    #[test]
    fn delays_double_up_to_thirty_seconds_and_start_over_after_a_steady_worker() {
        let mut backoff = Backoff::default();
        let now = Instant::now();
        let delays: Vec<_> = (0..7).map(|_| backoff.delay(None, now, 0).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff.delay(Some(STEADY), now, 0), Duration::ZERO);
        assert_eq!(backoff.delay(None, now, 0), Duration::from_secs(1));
    }

    #[test]
    fn jitter_adds_up_to_a_quarter() {
        let now = Instant::now();
        let delay = Backoff::default().delay(None, now, u8::MAX);
        assert!(delay > Duration::from_millis(1200) && delay <= Duration::from_millis(1250), "{delay:?}");
        let mut late = Backoff { failures: 20, last_immediate: None };
        assert_eq!(late.delay(None, now, u8::MAX), LONGEST);
    }
}
