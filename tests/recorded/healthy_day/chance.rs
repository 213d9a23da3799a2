//! Chance that is the same on every run.

/// Numbers from a seed (`SplitMix64`, Steele and others 2014).
pub struct Chance(pub u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One of `least` to `most`.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// Whether something happens that happens `per_million` times in a million.
    pub fn is(&mut self, per_million: u64) -> bool {
        self.next() % 1_000_000 < per_million
    }

    /// How often something happens in a second that happens so often in a thousand.
    pub fn times(&mut self, per_thousand_seconds: u64) -> u64 {
        per_thousand_seconds / 1_000 + u64::from(self.is(per_thousand_seconds % 1_000 * 1_000))
    }
}
