//! The parts between the dashes: what Kubernetes generates, told from what people write.

use std::ops::RangeInclusive;

/// Length of the random part that Kubernetes appends to a `generateName`.
pub(super) const SUFFIX_LEN: usize = 5;
/// What is left of a `generateName` once it is cut to make room for the random part.
pub(super) const CUT_LEN: usize = 58;
/// Length of a generated name whose stem was cut.
pub(super) const CUT_NAME_LEN: usize = CUT_LEN + SUFFIX_LEN;
/// A CronJob's name leaves room for its jobs' endings: 63 less 11.
pub(super) const MAX_CRONJOB: usize = 52;

/// Schedules are believed from 2015 to 2039. `20261121` read as minutes is 2008: dates stay out.
const MINUTES: RangeInclusive<i64> = 23_667_840..=36_816_479;
const SECONDS: RangeInclusive<i64> = 1_420_070_400..=2_208_988_799;

/// Words that people write and that consist of the random part's letters by chance.
const WORDS: [&str; 31] = [
    "btrfs", "cgrps", "dhcpd", "fstrm", "ftpds", "grpcs", "httpd", "https", "kfctl", "ksctl", "lldpd",
    "lxcfs", "mdnsd", "mngmt", "mqttd", "mqtts", "mssql", "nfsv4", "pgsql", "rtmps", "sftpd", "smtps",
    "snmpd", "srvcs", "sshds", "svcls", "tftpd", "tmpfs", "vsftp", "x8664", "xhtml",
];

/// What people put before a number: `tcp24` is a port's name, not a random part.
const NUMBERED: [&str; 26] = [
    "bgp", "cdn", "cpx", "db", "dc", "dns", "ftp", "gp", "grp", "http", "k8s", "mq", "nfs", "pg", "rds",
    "rmq", "sql", "sqlx", "srv", "ssd", "ssh", "tcp", "tls", "vm", "vpn", "zk",
];

/// The last part and what stands before its dash; neither is empty.
pub(super) fn peel(name: &str) -> Option<(&str, &str)> {
    let (stem, last) = name.rsplit_once('-')?;
    (!stem.is_empty() && !last.is_empty()).then_some((stem, last))
}

/// Whether a name is what Kubernetes accepts for a pod: a DNS subdomain of at most 253 bytes.
pub(super) fn is_object_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let alnum = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    bytes.len() <= 253
        && alnum(bytes.first())
        && alnum(bytes.last())
        && bytes.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
}

/// Letters and digits of the random part (`k8s.io/apimachinery/pkg/util/rand`): no vowels, no `y`, no `0 1 3`.
fn is_random(byte: u8) -> bool {
    match byte {
        b'a' | b'e' | b'i' | b'o' | b'u' | b'y' => false,
        b'a'..=b'z' => true,
        b'2' | b'4'..=b'9' => true,
        _ => false,
    }
}

/// Whether this may be the five random characters: right alphabet, neither a number nor a known word.
pub(super) fn is_suffix(part: &str) -> bool {
    is_random_five(part) && !is_number(part) && !is_word(part)
}

/// Whether these are five of the random part's characters. One in 850 random parts is a number, and a few are words:
/// to be believed behind something that only a controller writes.
pub(super) fn is_random_five(part: &str) -> bool {
    part.len() == SUFFIX_LEN && part.bytes().all(is_random)
}

fn is_word(part: &str) -> bool {
    let stem = part.trim_end_matches(|c: char| c.is_ascii_digit());
    WORDS.binary_search(&part).is_ok() || (stem.len() < part.len() && NUMBERED.contains(&stem))
}

/// Whether this may be a pod-template-hash: a 32-bit hash, its decimal digits `0..9` written as `4..9bcdf`.
/// So it says what it was, and a random part of the same alphabet mostly says something impossible.
pub(super) fn is_template_hash(part: &str) -> bool {
    let digits = part.bytes().all(|b| b.is_ascii_digit());
    // shorter ones are one in 5,000; a short number is rather an index
    let len = if digits { 8..=10 } else { 6..=10 };
    len.contains(&part.len()) && hash_value(part).is_some_and(|value| u32::try_from(value).is_ok())
}

/// Whether this may be a template hash of Kubernetes 1.7 and before: Adler-32 in decimal
/// (`GetPodTemplateSpecHash`, `pkg/util/pod` of 1.5). Fewer digits are one in 40 and as well a date.
pub(super) fn is_decimal_hash(part: &str) -> bool {
    part.len() >= 9 && number(part).is_some_and(|value| u32::try_from(value).is_ok())
}

/// Whether this may be the start of a template hash whose end was cut off.
pub(super) fn is_cut_hash(part: &str) -> bool {
    (4..=10).contains(&part.len()) && !is_number(part) && hash_value(part).is_some()
}

fn hash_value(part: &str) -> Option<u64> {
    let mut value = 0_u64;
    for (at, byte) in part.bytes().enumerate() {
        let digit = match byte {
            b'4'..=b'9' => byte - b'4',
            b'b' | b'c' | b'd' => byte - b'b' + 6,
            b'f' => 9,
            _ => return None,
        };
        // decimal text has no leading zero, and at most ten digits
        if (at == 0 && digit == 0) || at >= 10 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

/// Whether all is digits, at least one.
pub(super) fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())
}

/// A number as a program prints it: no leading zero, at most ten digits.
pub(super) fn number(part: &str) -> Option<i64> {
    let plain = is_number(part) && part.len() <= 10 && (part.len() == 1 || !part.starts_with('0'));
    if plain { part.parse().ok() } else { None }
}

/// The moment in a CronJob's job name: eight digits are minutes, ten are seconds (before Kubernetes 1.21). A schedule
/// is on a whole minute; other seconds are a script's, or an old template hash.
pub(super) fn schedule(part: &str) -> Option<i64> {
    let value = number(part)?;
    match part.len() {
        8 if MINUTES.contains(&value) => Some(value * 60),
        10 if SECONDS.contains(&value) && value % 60 == 0 => Some(value),
        _ => None,
    }
}

/// Whether ten digits are Unix seconds of our days, on a whole minute or not.
pub(super) fn is_seconds(part: &str) -> bool {
    part.len() == 10 && number(part).is_some_and(|value| SECONDS.contains(&value))
}

/// Whether thirteen digits are Unix milliseconds of our days.
pub(super) fn is_milliseconds(part: &str) -> bool {
    part.len() == 13 && is_number(part) && is_seconds(&part[..10])
}

/// Whether nineteen digits are Unix nanoseconds of our days.
pub(super) fn is_nanoseconds(part: &str) -> bool {
    part.len() == 19 && is_number(part) && is_seconds(&part[..10])
}

/// Whether digits are a minute as people write it: `YYYYmmddHHMM` or `yymmddHHMM`, the century as schedules have it.
pub(super) fn is_written_minute(part: &str) -> bool {
    let short = match part.len() {
        12 => part.strip_prefix("20"),
        10 => Some(part),
        _ => None,
    };
    let two = |digits: &str, at: usize| digits.get(at..at + 2).and_then(|two| two.parse::<u8>().ok());
    short.filter(|digits| is_number(digits)).is_some_and(|digits| {
        let within = [(0, 15..=39), (2, 1..=12), (4, 1..=31), (6, 0..=23), (8, 0..=59)];
        within.into_iter().all(|(at, range)| two(digits, at).is_some_and(|value| range.contains(&value)))
    })
}

/// Whether digits are a day as people write it: `YYYYmmdd`.
pub(super) fn is_written_day(part: &str) -> bool {
    let digits =
        |range: std::ops::Range<usize>| part.get(range).and_then(|digits| digits.parse::<u16>().ok());
    if part.len() != 8 || !is_number(part) {
        return false;
    }
    let (Some(year), Some(month), Some(day)) = (digits(0..4), digits(4..6), digits(6..8)) else {
        return false;
    };
    let days = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => 0,
    };
    (2000..=2100).contains(&year) && (1..=days).contains(&day)
}

/// Whether six digits are a time of day: `HHMMSS`.
fn is_written_time(part: &str) -> bool {
    let below = |at: usize, end: u8| {
        part.get(at..at + 2).and_then(|two| two.parse::<u8>().ok()).is_some_and(|value| value < end)
    };
    part.len() == 6 && is_number(part) && below(0, 24) && below(2, 60) && below(4, 60)
}

/// What stands before a moment as people write it: a minute (see [`is_written_minute`]), or a second, `YYYYmmddHHMMSS` or
/// `YYYYmmdd-HHMMSS`.
pub(super) fn before_written_moment(name: &str) -> Option<&str> {
    let (stem, last) = peel(name)?;
    if is_written_time(last) {
        return peel(stem).filter(|(_, day)| is_written_day(day)).map(|(stem, _)| stem);
    }
    let is_second = || {
        last.len() == 14
            && last
                .split_at_checked(8)
                .is_some_and(|(day, time)| is_written_day(day) && is_written_time(time))
    };
    (is_written_minute(last) || is_second()).then_some(stem)
}

/// The moment in a CronWorkflow's run: seconds only.
pub(super) fn schedule_seconds(part: &str) -> Option<i64> {
    if part.len() == 10 { schedule(part) } else { None }
}

/// Lower-case hex of exactly this length.
pub(super) fn is_hex(part: &str, len: usize) -> bool {
    part.len() == len && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A UUID in lower case: 8-4-4-4-12 hex digits.
pub(super) fn is_uuid(part: &str) -> bool {
    part.len() == 36
        && part.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// What stands before a final `-<uuid>`.
pub(super) fn before_uuid(name: &str) -> Option<&str> {
    let at = name.len().checked_sub(37)?;
    let (stem, tail) = name.split_at_checked(at)?;
    (!stem.is_empty() && is_uuid(tail.strip_prefix('-')?)).then_some(stem)
}

/// Whether eight letters and digits look drawn at random, as Airflow draws them: at least two digits, letters
/// and digits in turns. All hex is as likely a short commit, `v1alpha1` a version: both are refused.
pub(super) fn is_mixed_eight(part: &str) -> bool {
    let bytes = part.as_bytes();
    let digits = bytes.iter().filter(|b| b.is_ascii_digit()).count();
    let turns = bytes.windows(2).filter(|w| w[0].is_ascii_digit() != w[1].is_ascii_digit()).count();
    let version = bytes.len() > 1 && bytes[0] == b'v' && bytes[1].is_ascii_digit();
    bytes.len() == 8
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && digits >= 2
        && turns >= 3
        && !version
        && !is_hex(part, 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted_and_of_the_length_that_is_looked_up() {
        assert!(WORDS.windows(2).all(|w| w[0] < w[1]));
        assert!(WORDS.iter().all(|word| word.len() == SUFFIX_LEN));
    }

    #[test]
    fn a_template_hash_decodes_to_32_bits() {
        for hash in ["7d764666f9", "79967c5968", "9d74bb658", "c6978b588", "58dcbdb97c"] {
            assert!(is_template_hash(hash), "{hash}");
        }
        assert_eq!(hash_value("86f8fbc6f9"), Some(u64::from(u32::MAX)));
        assert!(
            is_template_hash("86f8fbc6f9") && !is_template_hash("86f8fbc6fb"),
            "the largest and one more"
        );
        for no in ["4d764666f9", "fd764666f9", "7d764", "7d764666f9f", "7d76a666f9", "567895"] {
            assert!(!is_template_hash(no), "{no}");
        }
    }

    #[test]
    fn schedules_are_minutes_or_seconds_of_our_days() {
        assert_eq!(schedule("29707814"), Some(1_782_468_840));
        assert_eq!(schedule("1719878400"), Some(1_719_878_400));
        assert!(is_seconds("1719878401") && is_milliseconds("1719878401123"));
        assert!(is_nanoseconds("1719878401123456789") && !is_nanoseconds("9719878401123456789"));
        for no in ["1719878401", "20261121", "19991231", "99999999", "0719878400", "9719878400", "297078", ""]
        {
            assert_eq!(schedule(no), None, "{no}");
        }
    }

    #[test]
    fn minutes_that_people_write_have_months_and_hours() {
        assert!(is_written_minute("202611290512") && is_written_minute("2611290512"));
        for no in ["202613290512", "202611320512", "202611292460", "190011290512", "20261129", "1719878400"] {
            assert!(!is_written_minute(no), "{no}");
        }
    }

    #[test]
    fn moments_that_people_write_have_days_and_times_of_day() {
        for name in ["b-20261129051259", "b-20261129-051259", "b-202611290512", "b-20240229235959"] {
            assert_eq!(before_written_moment(name), Some("b"), "{name}");
        }
        for no in [
            "b-20261129051260",
            "b-20261129240000",
            "b-20230229051259",
            "b-21010101000000",
            "b-20261131-051259",
            "b-20261129-056059",
            "b-051259",
            "20261129-051259",
            "b-20261129",
            "b-20261129-0512",
        ] {
            assert_eq!(before_written_moment(no), None, "{no}");
        }
        assert!(is_written_day("20000229") && is_written_day("21001231"));
        for no in ["21000229", "19991231", "20261301", "20260431", "20260100", "2026113a", "202611291"] {
            assert!(!is_written_day(no), "{no}");
        }
    }

    #[test]
    fn a_decimal_hash_has_32_bits() {
        assert!(is_decimal_hash("4294967295") && is_decimal_hash("987654321"));
        for no in ["4294967296", "12345678", "0123456789", "3498762a14"] {
            assert!(!is_decimal_hash(no), "{no}");
        }
    }
}
