//! Points in time. The clock itself is read by the application, never here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time with millisecond precision: what is stored, shown and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// In UTC to the second, as ASN.1 writes it: `20261121093000Z`.
    pub fn in_seconds(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => at.strftime("%Y%m%d%H%M%SZ").to_string(),
            Err(_) => format!("{} ms", self.0),
        }
    }

    /// The beginning of its second: what certificates are able to say.
    pub const fn whole_second(self) -> Self {
        Self(self.0.div_euclid(1000) * 1000)
    }

    /// This point moved by `millis`, which may be negative; saturates at the ends of the range.
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds: `2026-11-21T09:30:00.123Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.parse::<jiff::Timestamp>()?.as_millisecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A point in time, or a distance from the present one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A point.
    At(Timestamp),
    /// Milliseconds from now; negative: ago.
    FromNow(i64),
}

impl Moment {
    /// The point that it is at a time.
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::FromNow(millis) => now.plus_millis(millis),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    /// RFC 3339, or a whole number of days (`d`) or hours (`h`) such as `+30d`, `12h` or `-1d`. A plus may
    /// be missing, or be a space, which is what an unescaped plus becomes in a query.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no time; write it as 2027-01-31T12:00:00Z, or from now as +30d or 12h");
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        let distance = text.strip_prefix(' ').unwrap_or(text);
        let (number, unit) = match distance.strip_suffix('d') {
            Some(number) => (number, 24 * 3_600_000),
            None => (distance.strip_suffix('h').ok_or_else(wrong)?, 3_600_000),
        };
        let number: i32 = number.parse().map_err(|_| wrong())?;
        Ok(Self::FromNow(i64::from(number) * unit))
    }
}

/// Where the time comes from; tests pass one that stands still.
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_written_as_asn_1_does() {
        let at = Timestamp::from_millis(1_795_253_400_123);
        assert_eq!(at.in_seconds(), "20261121093000Z");
        assert_eq!(at.whole_second().as_millis(), 1_795_253_400_000);
        assert_eq!(Timestamp::from_millis(-1).whole_second().as_millis(), -1000);
    }

    #[test]
    fn prints_and_reads_rfc_3339() {
        let at = Timestamp::from_millis(1_795_253_400_123);
        assert_eq!(at.to_string(), "2026-11-21T09:30:00.123Z");
        assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
    }

    #[test]
    fn a_moment_is_a_time_or_a_distance() {
        let now = Timestamp::from_millis(1_000);
        let day = 24 * 3_600_000;
        for (text, millis) in [
            ("1970-01-01T00:00:05Z", 5_000),
            ("1970-01-01T01:00:05+01:00", 5_000),
            ("+30d", 1_000 + 30 * day),
            (" 30d", 1_000 + 30 * day),
            ("30d", 1_000 + 30 * day),
            ("-1d", 1_000 - day),
            ("0h", 1_000),
            ("12h", 1_000 + day / 2),
        ] {
            assert_eq!(text.parse::<Moment>().unwrap().at(now).as_millis(), millis, "{text}");
        }
        for wrong in ["", "30", "d", "+d", "1.5d", "30m", "soon", "  1d", "99999999999d", "2027-01-31"] {
            assert!(wrong.parse::<Moment>().is_err(), "{wrong}");
        }
    }
}
