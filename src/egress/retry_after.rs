//! `Retry-After`: read, capped and spread out.

use std::time::Duration;

use crate::clock::Jitter;

/// A sender is never told to wait longer than this.
pub(super) const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Reads a header value: seconds, or the date form HTTP has had since 1999. The two older date forms are
/// taken as absent: no server of today writes them.
pub(super) fn parse(value: &str, now_unix_ms: i64) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // more digits than fit is longer than the cap, too
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let millis = imf_fixdate(value)?.checked_mul(1000)?.saturating_sub(now_unix_ms);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` to Unix seconds. The day of the week is not held against the date.
fn imf_fixdate(text: &str) -> Option<i64> {
    let rest = text.split_once(", ")?.1;
    let mut parts = rest.split(' ');
    let day = digits(parts.next()?, 2)?;
    let month = month(parts.next()?)?;
    let year = digits(parts.next()?, 4)?;
    let mut clock = parts.next()?.split(':');
    let hour = digits(clock.next()?, 2)?;
    let minute = digits(clock.next()?, 2)?;
    let second = digits(clock.next()?, 2)?;
    let ends_well = clock.next().is_none() && parts.next() == Some("GMT") && parts.next().is_none();
    // 60: a leap second
    let in_range = (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    (ends_well && in_range)
        .then(|| days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn month(name: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let index = MONTHS.iter().position(|month| *month == name)?;
    i64::try_from(index).ok().map(|index| index + 1)
}

/// Proleptic Gregorian. Years are counted from March, so that the leap day comes last and every month before
/// it starts at `(153 * month + 2) / 5` days.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719,468 days from 1 March of year 0 to the epoch, and one because days of a month start at 1
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 719_469
}

/// `wait` and up to a fifth more, never above the cap, so that senders told to wait do not come back at once. What is near
/// the cap is spread below it.
pub(super) fn spread(jitter: &Jitter, wait: Duration) -> Duration {
    let wait = wait.min(MAX_RETRY_AFTER * 5 / 6);
    wait.mul_f64(1.0 + 0.2 * jitter.unit()).min(MAX_RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 784_111_777_000; // Sun, 06 Nov 1994 08:49:37 GMT

    #[test]
    fn seconds_are_taken_and_capped() {
        assert_eq!(parse("0", NOW), Some(Duration::ZERO));
        assert_eq!(parse(" 7 ", NOW), Some(Duration::from_secs(7)));
        assert_eq!(parse("31", NOW), Some(MAX_RETRY_AFTER));
        assert_eq!(parse("99999999999999999999999999", NOW), Some(MAX_RETRY_AFTER));
    }

    #[test]
    fn a_date_is_taken_as_the_time_until_then() {
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:47 GMT", NOW), Some(Duration::from_secs(10)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT", NOW + 500), Some(Duration::ZERO));
        assert_eq!(parse("Tue, 29 Feb 2028 00:00:00 GMT", NOW), Some(MAX_RETRY_AFTER));
    }

    #[test]
    fn anything_else_is_as_if_absent() {
        for value in
            ["", "soon", "-1", "1.5", "1 s", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 94 08:49:37 GMT"]
        {
            assert_eq!(parse(value, NOW), None, "{value:?}");
        }
        for value in [
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
        ] {
            assert_eq!(parse(value, NOW), None, "{value:?}");
        }
    }

    #[test]
    fn dates_count_days_as_the_calendar_does() {
        assert_eq!(days_since_epoch(1970, 1, 1), 0);
        assert_eq!(days_since_epoch(2000, 2, 29), 11_016);
        assert_eq!(days_since_epoch(2000, 3, 1), 11_017);
        assert_eq!(days_since_epoch(2100, 3, 1) - days_since_epoch(2100, 2, 28), 1);
        assert_eq!(imf_fixdate("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
    }

    #[test]
    fn jitter_adds_up_to_a_fifth_and_repeats_with_its_seed() {
        let (one, two) = (Jitter::new(7), Jitter::new(7));
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            let wait = spread(&one, Duration::from_secs(10));
            assert_eq!(wait, spread(&two, Duration::from_secs(10)));
            assert!((Duration::from_secs(10)..=Duration::from_secs(12)).contains(&wait), "{wait:?}");
            seen.insert(wait);
        }
        assert!(seen.len() > 900, "spread out");
        assert_eq!(spread(&one, Duration::ZERO), Duration::ZERO);
        assert!(spread(&one, Duration::from_secs(29)) <= MAX_RETRY_AFTER);
    }

    #[test]
    fn a_wait_at_the_cap_is_spread_out_too() {
        let jitter = Jitter::new(7);
        let waits: Vec<_> = (0..100).map(|_| spread(&jitter, MAX_RETRY_AFTER)).collect();
        let seconds: std::collections::BTreeSet<_> = waits.iter().map(Duration::as_secs).collect();
        assert!(waits.iter().all(|wait| *wait <= MAX_RETRY_AFTER));
        assert_eq!(seconds, (25..30).collect());
    }
}
