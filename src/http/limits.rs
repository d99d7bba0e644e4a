//! How often: requests of one principal, failed logins from one address.
//!
//! Token buckets, in bounded memory: a full bucket is as good as none, and when there are too many
//! of the others, the one that was touched least recently goes.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::id::Handle;

/// Buckets kept at once, at about 64 bytes each.
const MOST: usize = 10_000;

/// The limits of one service.
pub struct Limits {
    requests: Buckets<Handle>,
    failed_logins: Buckets<IpAddr>,
}

impl Limits {
    /// Requests that a principal may make in a second, and logins that may fail from one address in a
    /// minute; as many at once.
    pub fn new(requests_per_second: u32, failed_logins_per_minute: u32) -> Self {
        Self {
            requests: Buckets::new(requests_per_second, Duration::from_secs(1)),
            failed_logins: Buckets::new(failed_logins_per_minute, Duration::from_secs(60)),
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// How long to wait.
    pub fn request(&self, of: Handle) -> Result<(), Duration> {
        self.requests.take(of, Instant::now())
    }

    /// Whether credentials are looked at that come from there.
    ///
    /// # Errors
    /// How long to wait.
    pub fn may_log_in(&self, from: IpAddr) -> Result<(), Duration> {
        self.failed_logins.look(&network(from), Instant::now())
    }

    /// Counts a credential that nobody knows.
    pub fn failed_login(&self, from: IpAddr) {
        let _ = self.failed_logins.take(network(from), Instant::now());
    }
}

/// Whoever has one IPv6 address has the 2^64 of its subnet (RFC 4291 section 2.5.4).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

struct Buckets<K> {
    capacity: f64,
    per_second: f64,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    level: f64,
    at: Instant,
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    fn new(capacity: u32, refilled_in: Duration) -> Self {
        let capacity = f64::from(capacity);
        Self { capacity, per_second: capacity / refilled_in.as_secs_f64(), buckets: Mutex::default() }
    }

    fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let level = buckets.get(&key).map_or(self.capacity, |bucket| self.level(bucket, now));
        if level < 1.0 {
            return Err(self.wait(level));
        }
        if buckets.len() >= MOST && !buckets.contains_key(&key) {
            self.make_room(&mut buckets, now);
        }
        buckets.insert(key, Bucket { level: level - 1.0, at: now });
        Ok(())
    }

    fn look(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let level = buckets.get(key).map_or(self.capacity, |bucket| self.level(bucket, now));
        if level < 1.0 { Err(self.wait(level)) } else { Ok(()) }
    }

    fn level(&self, bucket: &Bucket, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.level + elapsed * self.per_second).min(self.capacity)
    }

    fn wait(&self, level: f64) -> Duration {
        Duration::from_secs_f64((1.0 - level) / self.per_second)
    }

    fn make_room(&self, buckets: &mut HashMap<K, Bucket>, now: Instant) {
        buckets.retain(|_, bucket| self.level(bucket, now) < self.capacity);
        if buckets.len() < MOST {
            return;
        }
        let oldest = buckets.iter().min_by_key(|(_, bucket)| bucket.at).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            buckets.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let buckets = Buckets::new(3, Duration::from_secs(60));
        let start = Instant::now();
        for _ in 0..3 {
            assert!(buckets.look(&1, start).is_ok());
            assert!(buckets.take(1, start).is_ok());
        }
        assert_eq!(buckets.look(&1, start), Err(Duration::from_secs(20)));
        assert_eq!(buckets.take(1, start), Err(Duration::from_secs(20)));
        assert!(buckets.take(2, start).is_ok(), "another one's");
        let later = start + Duration::from_secs(21);
        assert!(buckets.take(1, later).is_ok());
        assert!(buckets.take(1, later).is_err());
        assert!(buckets.take(1, start + Duration::from_secs(600)).is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let buckets = Buckets::new(1, Duration::from_secs(60));
        let start = Instant::now();
        for n in 0..MOST + 50 {
            let _ = buckets.take(n, start + Duration::from_nanos(n as u64));
        }
        assert_eq!(buckets.buckets.lock().unwrap().len(), MOST);
        assert!(buckets.look(&(MOST + 49), start).is_err(), "the newest are kept");
        let _ = buckets.take(usize::MAX, start + Duration::from_secs(600));
        assert_eq!(buckets.buckets.lock().unwrap().len(), 1, "full ones go first");
    }

    #[test]
    fn an_ipv6_subnet_is_one_address() {
        let same = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
    }
}
