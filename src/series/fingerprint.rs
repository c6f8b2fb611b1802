//! The identity of a series: 96 bits of a keyed universal hash over tenant, canonical labels and length.
//!
//! A sender must not be able to make two series look like one, so the hash is not merely fast but has a
//! proof. Two lanes, each: NH (the hash of UMAC and VMAC: sums of products of 64-bit words, each plus a
//! secret key word) over blocks of 1 KiB, with the second lane's keys shifted by one pair (Toeplitz), which
//! makes the lanes independent; whole blocks before the last are folded by a polynomial over the prime
//! 2^61-1; the end is a strongly universal multiply-shift that also takes in length and tenant. For any two
//! different inputs a lane collides with probability below 2^-62 + n/2^54 for n KiB over random keys; both
//! lanes together make 96 bits that are compared. Keys are drawn at the first start and leave the process only for the
//! snapshot of aggregations, whose members are known by them.

mod spelling;

pub use spelling::{SpelledScope, Speller, Spelling, TextHash};

/// Words of a block.
const BLOCK_WORDS: usize = 128;
/// Bytes of a block; label sets are rarely longer.
const BLOCK_BYTES: usize = BLOCK_WORDS * 8;
/// The Mersenne prime 2^61-1.
const PRIME: u64 = (1 << 61) - 1;

/// 96 bits that stand for a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint {
    /// First lane.
    pub high: u64,
    /// Upper half of the second lane.
    pub low: u32,
}

impl Fingerprint {
    /// 32 bits of it, for hints that may be wrong now and then.
    pub fn short(self) -> u32 {
        self.low
    }
}

/// What a scope contributes to the identity of its series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TenantKey([u64; 2]);

impl TenantKey {
    /// For a file.
    pub fn to_bits(self) -> [u64; 2] {
        self.0
    }

    /// From what [`TenantKey::to_bits`] gave, under the same keys.
    pub fn from_bits(bits: [u64; 2]) -> Self {
        Self(bits)
    }

    /// What stands for all of a tenant that is not told apart.
    pub fn others(self) -> Fingerprint {
        Fingerprint { high: self.0[0], low: (self.0[1] >> 32) as u32 }
    }
}

/// Keys of one lane's end.
#[derive(Clone, Copy)]
struct End {
    words: [u128; 5],
    add: u128,
    point: u64,
}

/// The keyed hash.
#[derive(Clone)]
pub struct Fingerprinter {
    pairs: [[u64; 2]; BLOCK_WORDS / 2 + 1],
    ends: [End; 2],
}

impl Fingerprinter {
    /// Keys from the operating system's random source, every word of them.
    ///
    /// # Errors
    /// If there is none.
    pub fn random() -> Result<Self, getrandom::Error> {
        Ok(Self::from_keys(&Self::draw_keys()?))
    }

    /// Keys from the operating system's random source.
    ///
    /// # Errors
    /// If there is none.
    pub fn draw_keys() -> Result<Vec<u8>, getrandom::Error> {
        let mut bytes = vec![0; Self::KEY_WORDS * 8];
        getrandom::fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The hash with these keys, which were drawn once; missing ones are zero.
    pub fn from_keys(bytes: &[u8]) -> Self {
        let mut words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        Self::from_words(|| words.next().unwrap_or_default())
    }

    /// Keys stretched from a seed: for tests and benches, which must repeat themselves. Not secret enough to run with.
    pub fn from_seed(seed: u64) -> Self {
        let mut stream =
            KeyStream([seed ^ 0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03, 0x8cb9_2ba7_2f3d_8dd7, 1]);
        Self::from_words(|| stream.next())
    }

    /// Length of the keys, bytes.
    pub const KEY_BYTES: usize = Self::KEY_WORDS * 8;
    const KEY_WORDS: usize = (BLOCK_WORDS / 2 + 1) * 2 + 2 * (5 * 2 + 2 + 1);

    fn from_words(mut word: impl FnMut() -> u64) -> Self {
        Self {
            pairs: std::array::from_fn(|_| [word(), word()]),
            ends: std::array::from_fn(|_| End {
                words: std::array::from_fn(|_| (u128::from(word()) << 64) | u128::from(word())),
                add: (u128::from(word()) << 64) | u128::from(word()),
                point: word() % PRIME,
            }),
        }
    }

    /// What goes into the identity for the scope with this text; a tenant's name is one.
    pub fn tenant(&self, name: &str) -> TenantKey {
        // The empty tenant hashes to something too: no tenant is another one's zero.
        let lanes = self.lanes(name.as_bytes(), TenantKey([u64::MAX; 2]));
        TenantKey(lanes)
    }

    /// What stands for a policy's definition.
    pub fn definition(&self, text: &str) -> Fingerprint {
        self.fingerprint(text.as_bytes(), TenantKey::default())
    }

    /// The identity of a series with these label bytes.
    #[inline]
    pub fn fingerprint(&self, labels: &[u8], tenant: TenantKey) -> Fingerprint {
        let [high, low] = self.lanes(labels, tenant);
        Fingerprint { high, low: (low >> 32) as u32 }
    }

    #[inline]
    fn lanes(&self, bytes: &[u8], tenant: TenantKey) -> [u64; 2] {
        let (last, folded) =
            if bytes.len() <= BLOCK_BYTES { (bytes, [0; 2]) } else { self.fold_blocks(bytes) };
        self.end(self.nh(last), folded, bytes.len(), tenant)
    }

    /// The end of both lanes: what their sums and polynomials came to, the length, and the tenant.
    #[inline]
    fn end(&self, sums: [u128; 2], folded: [u64; 2], length: usize, tenant: TenantKey) -> [u64; 2] {
        std::array::from_fn(|lane| {
            let end = &self.ends[lane];
            let inputs =
                [sums[lane] as u64, (sums[lane] >> 64) as u64, folded[lane], length as u64, tenant.0[lane]];
            let sum = inputs
                .iter()
                .zip(&end.words)
                .fold(end.add, |sum, (input, key)| sum.wrapping_add(key.wrapping_mul(u128::from(*input))));
            (sum >> 64) as u64
        })
    }

    /// Both lanes of NH over at most one block; short input counts as padded with zeros (the length is hashed too).
    #[inline]
    fn nh(&self, block: &[u8]) -> [u128; 2] {
        let (mut first, mut second) = (0u128, 0u128);
        let (chunks, rest) = block.as_chunks::<16>();
        let keys = self.pairs.iter().zip(&self.pairs[1..]);
        for (chunk, (a, b)) in chunks.iter().zip(keys) {
            let (x, y) = words(chunk);
            first = first.wrapping_add(product(x.wrapping_add(a[0]), y.wrapping_add(a[1])));
            second = second.wrapping_add(product(x.wrapping_add(b[0]), y.wrapping_add(b[1])));
        }
        if !rest.is_empty() {
            let mut chunk = [0; 16];
            chunk[..rest.len()].copy_from_slice(rest);
            let (x, y) = words(&chunk);
            let (a, b) = (&self.pairs[chunks.len()], &self.pairs[chunks.len() + 1]);
            first = first.wrapping_add(product(x.wrapping_add(a[0]), y.wrapping_add(a[1])));
            second = second.wrapping_add(product(x.wrapping_add(b[0]), y.wrapping_add(b[1])));
        }
        [first, second]
    }

    /// Folds all blocks but the last; returns the last and each lane's polynomial.
    #[cold]
    fn fold_blocks<'b>(&self, bytes: &'b [u8]) -> (&'b [u8], [u64; 2]) {
        let whole = (bytes.len() - 1) / BLOCK_BYTES * BLOCK_BYTES;
        let mut folded = [0; 2];
        for block in bytes[..whole].chunks(BLOCK_BYTES) {
            let sums = self.nh(block);
            for lane in 0..2 {
                // limbs of 43 bits stay below the prime, so that different sums stay different
                for limb in 0..3 {
                    let limb = ((sums[lane] >> (43 * limb)) as u64) & ((1 << 43) - 1);
                    folded[lane] = multiply_add(folded[lane], self.ends[lane].point, limb);
                }
            }
        }
        (&bytes[whole..], folded)
    }
}

#[inline]
fn words(chunk: &[u8; 16]) -> (u64, u64) {
    let (halves, _) = chunk.as_chunks::<8>();
    (u64::from_le_bytes(halves[0]), u64::from_le_bytes(halves[1]))
}

#[inline]
fn product(x: u64, y: u64) -> u128 {
    u128::from(x) * u128::from(y)
}

/// `(value * by + add) mod 2^61-1`
fn multiply_add(value: u64, by: u64, add: u64) -> u64 {
    let product = u128::from(value) * u128::from(by) + u128::from(add);
    let folded = (product as u64 & PRIME) + ((product >> 61) as u64);
    if folded >= PRIME { folded - PRIME } else { folded }
}

/// Stretches a seed into key words (xoshiro256++).
struct KeyStream([u64; 4]);

impl KeyStream {
    fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Two texts of one identity, for whoever knows the keys: in the first lane a factor of each product is zero, and in the
    /// second the products of one text are those of the other in another order.
    fn made_to_collide(keys: &Fingerprinter) -> [Vec<u8>; 2] {
        let [first, second, third] = [keys.pairs[0], keys.pairs[1], keys.pairs[2]];
        let factors = [second[0].wrapping_sub(first[0]), third[0].wrapping_sub(second[0])];
        let text = |sums: [u64; 2]| {
            let words = [
                first[0].wrapping_neg(),
                sums[0].wrapping_sub(second[1]),
                second[0].wrapping_neg(),
                sums[1].wrapping_sub(third[1]),
            ];
            words.iter().flat_map(|word| word.to_le_bytes()).collect()
        };
        [text([factors[1], 0]), text([0, factors[0]])]
    }

    #[test]
    fn what_collides_under_keys_that_are_known_does_not_under_those_that_are_drawn() {
        let known = Fingerprinter::from_seed(1);
        let [one, other] = made_to_collide(&known);
        assert_ne!(one, other);
        let print = |keys: &Fingerprinter, text: &[u8]| keys.fingerprint(text, keys.tenant("team"));
        assert_eq!(print(&known, &one), print(&known, &other), "so the keys are what keeps them apart");
        for _ in 0..1000 {
            let drawn = Fingerprinter::random().unwrap();
            let (one, other) = (print(&drawn, &one), print(&drawn, &other));
            assert!(one.high != other.high && one.low != other.low, "{one:?}");
        }
    }

    #[test]
    fn what_a_hash_without_keys_puts_in_one_place_is_spread() {
        let polynomial = |text: &str| {
            text.bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)))
        };
        let texts: Vec<String> = (0..4096u32)
            .map(|n| (0..12).map(|bit| if n >> bit & 1 == 0 { "Aa" } else { "BB" }).collect())
            .collect();
        assert!(texts.iter().all(|text| polynomial(text) == polynomial(&texts[0])));
        let drawn = Fingerprinter::random().unwrap();
        let prints: BTreeSet<Fingerprint> =
            texts.iter().map(|text| drawn.fingerprint(text.as_bytes(), drawn.tenant(""))).collect();
        assert_eq!(prints.len(), texts.len());
        let mut places = [0; 64];
        prints.iter().for_each(|print| places[(print.high >> 58) as usize] += 1);
        // 64 are to be expected in each; twice that is eight standard deviations away
        assert!(places.iter().all(|count| (1..128).contains(count)), "{places:?}");
    }
}
