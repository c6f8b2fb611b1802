//! Names as Kubernetes makes them, drawn from a seed: the alphabets are what a reader of names goes by.

/// The alphabet of generated suffixes: no vowels, no `y`, none of `0`, `1`, `3`.
pub const SUFFIX_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// How much of an owner's name survives in front of a pod's random suffix, in bytes.
const MAX_BASE_BYTES: usize = 58;

const HEX: &[u8] = b"0123456789abcdef";

/// A source of reproducible randomness. It has no state: the same path of [`Seed::child`] calls
/// gives the same values, in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// The root of everything drawn from `value`.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// An independent seed for part `index` of whatever this seed stands for.
    #[must_use]
    pub const fn child(self, index: u64) -> Self {
        // splitmix64: the increment keeps neighbours apart, the finaliser mixes every bit
        let mut x = self.0.rotate_left(17) ^ index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self(x ^ (x >> 31))
    }

    /// The seed as a number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// An independent seed for the part called `name`.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        self.child(u64::from(fnv32a(name.as_bytes()))).child(name.len() as u64)
    }

    /// A number below `bound`; 0 where `bound` is 0.
    pub const fn below(self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.child(0).0 % bound }
    }

    /// A number in `0.0..1.0`.
    pub fn unit(self) -> f64 {
        (self.child(0).0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Appends `len` characters of an ASCII alphabet.
    fn spell(self, out: &mut String, len: usize, alphabet: &[u8]) {
        for i in 0..len {
            let letter = self.child(i as u64).below(alphabet.len() as u64) as usize;
            out.push(char::from(alphabet[letter]));
        }
    }
}

/// The name the API server generates below `owner`: its name, a dash and five random characters,
/// the part before them cut at 58 bytes.
pub fn generated(owner: &str, seed: Seed) -> String {
    let mut name = format!("{owner}-");
    name.truncate(MAX_BASE_BYTES);
    seed.spell(&mut name, 5, SUFFIX_ALPHABET);
    name
}

/// A pod-template-hash: FNV-1a of the template as decimal digits, each digit moved into the suffix
/// alphabet. Ten characters occur, `[4-9bcdf]`, and the first is never `4` (no leading zero).
pub fn template_hash(template: &str) -> String {
    fnv32a(template.as_bytes())
        .to_string()
        .bytes()
        .map(|digit| char::from(SUFFIX_ALPHABET[usize::from(digit) % SUFFIX_ALPHABET.len()]))
        .collect()
}

/// The job a cronjob starts at a time: its name and the Unix time in minutes.
pub fn cron_job_run(cronjob: &str, scheduled_unix_s: i64) -> String {
    format!("{cronjob}-{}", scheduled_unix_s.div_euclid(60))
}

/// A random (version 4) UUID.
pub fn uid(seed: Seed) -> String {
    let mut out = String::with_capacity(36);
    for (group, len) in [8, 4, 3, 3, 12].into_iter().enumerate() {
        match group {
            0 => {}
            2 => out.push_str("-4"),
            3 => {
                out.push('-');
                seed.child(3).child(99).spell(&mut out, 1, b"89ab");
            }
            _ => out.push('-'),
        }
        seed.child(group as u64).spell(&mut out, len, HEX);
    }
    out
}

/// 64 hexadecimal digits: a container's id, or an image's digest.
pub fn hex64(seed: Seed) -> String {
    let mut out = String::with_capacity(64);
    seed.spell(&mut out, 64, HEX);
    out
}

/// A node's name as EKS gives it; distinct for every index below 65,536.
pub fn node(index: u32) -> String {
    format!("ip-10-0-{}-{}.eu-central-1.compute.internal", (index >> 8) & 255, index & 255)
}

fn fnv32a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_hashes_decode_to_the_hash_they_came_from() {
        for template in ["a", "checkout/1", "a much longer template, with generation 12"] {
            let digits: String = template_hash(template)
                .chars()
                .map(|letter| char::from(b'0' + "456789bcdf".find(letter).unwrap() as u8))
                .collect();
            assert_eq!(digits, fnv32a(template.as_bytes()).to_string());
        }
    }

    #[test]
    fn generated_names_never_exceed_63_bytes() {
        let long = "x".repeat(80);
        assert_eq!(generated(&long, Seed::new(1)).len(), 63);
        assert_eq!(generated("web", Seed::new(1)).len(), 9);
    }

    #[test]
    fn uids_are_version_4() {
        let id = uid(Seed::new(7));
        assert_eq!(id.len(), 36);
        let dashes: Vec<usize> = id.match_indices('-').map(|(at, _)| at).collect();
        assert_eq!(dashes, [8, 13, 18, 23]);
        assert_eq!(&id[14..15], "4");
    }

    #[test]
    fn children_differ_and_are_reproducible() {
        let seed = Seed::new(3);
        assert_eq!(seed.child(5), seed.child(5));
        assert_ne!(seed.child(5), seed.child(6));
        assert_ne!(seed.named("a"), seed.named("b"));
        assert!((0.0..1.0).contains(&seed.unit()));
    }
}
