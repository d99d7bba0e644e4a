//! How long a certificate shall be valid: ISO 8601 durations, as `P90D` and `PT48H`.

use crate::domain::invalid::Invalid;

const FIELD: &str = "validityPeriod";

/// The days of a duration; a day that has begun counts. A month has 30 days, a year 365.
///
/// # Errors
/// What is no such duration.
pub(in super::super) fn days(text: &str) -> Result<u32, Invalid> {
    let wrong = || Invalid::new(FIELD, "must be a duration such as P90D, P1Y or PT48H");
    let rest = text.strip_prefix('P').ok_or_else(wrong)?;
    let (date, time) = rest.split_once('T').unwrap_or((rest, ""));
    if date.is_empty() && time.is_empty() || rest.ends_with('T') {
        return Err(wrong());
    }
    let minutes = sum(date, &[('Y', 365 * DAY), ('M', 30 * DAY), ('W', 7 * DAY), ('D', DAY)])
        .zip(sum(time, &[('H', 60), ('M', 1)]))
        .and_then(|(date, time)| date.checked_add(time))
        .ok_or_else(wrong)?;
    u32::try_from(minutes.div_ceil(DAY)).map_err(|_| wrong())
}

/// In minutes.
const DAY: u64 = 24 * 60;

/// The minutes of numbers with units, each at most once and in this order.
fn sum(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut minutes: u64 = 0;
    let mut units = units.iter();
    while !text.is_empty() {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = text.split_at_checked(digits)?;
        let unit = rest.chars().next()?;
        let (_, length) = units.find(|(known, _)| *known == unit)?;
        minutes = minutes.checked_add(number.parse::<u64>().ok()?.checked_mul(*length)?)?;
        text = rest.split_at_checked(unit.len_utf8())?.1;
    }
    Some(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_days() {
        for (text, expected) in [
            ("P90D", 90),
            ("PT48H", 2),
            ("PT1H", 1),
            ("PT49H", 3),
            ("P1Y", 365),
            ("P1Y1M1W1DT0H", 403),
            ("P0D", 0),
            ("PT1440M", 1),
        ] {
            assert_eq!(days(text).unwrap(), expected, "{text}");
        }
        for text in [
            "",
            "P",
            "PT",
            "90D",
            "P90",
            "PD",
            "P1D1D",
            "P1D1Y",
            "P1H",
            "P-1D",
            "P1DT",
            "Pé",
            "P99999999999Y",
        ] {
            assert!(days(text).is_err(), "{text}");
        }
    }
}
