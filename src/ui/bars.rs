//! Bars and trends: the one scale rule. A bar is linear to the largest of its panel; a trend spans from the lowest to
//! the highest of its own line, but never less than a tenth of the highest, so that a steady line stays flat. What is
//! not zero is never invisible.

/// The least span of a trend, as a part of its highest value.
const TREND_SPAN_PART: u32 = 10;

const BAR_EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const TREND_LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar for `value` of `largest` in at most `width` cells.
pub fn bar(value: u32, largest: u32, width: u16) -> String {
    if value == 0 || largest == 0 || width == 0 {
        return String::new();
    }
    let eighths = (u64::from(value) * u64::from(width) * 8 / u64::from(largest)).clamp(1, u64::from(width) * 8);
    let (full, rest) = (eighths / 8, eighths % 8);
    let mut bar = "█".repeat(usize::try_from(full).unwrap_or(0));
    bar.push_str(BAR_EIGHTHS[usize::try_from(rest).unwrap_or(0)]);
    bar
}

/// What a trend spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// The value at the bottom.
    pub lowest: u32,
    span: u32,
}

impl Scale {
    /// The scale of a trend of `values`.
    pub fn of(values: &[Option<u32>]) -> Self {
        let highest = values.iter().flatten().copied().max().unwrap_or(0);
        let lowest = values.iter().flatten().copied().min().unwrap_or(0);
        Self { lowest, span: (highest - lowest).max(highest.div_ceil(TREND_SPAN_PART)).max(1) }
    }

    /// The same down to `lowest`, where that is lower.
    #[must_use]
    pub fn down_to(self, lowest: u32) -> Self {
        let lowest = lowest.min(self.lowest);
        Self { lowest, span: self.highest() - lowest }
    }

    /// The value at the top.
    pub const fn highest(self) -> u32 {
        self.lowest.saturating_add(self.span)
    }
}

/// The rows, from top to bottom, of a chart of `values` that is `height` cells high. Where nothing is known it is blank.
pub fn chart(values: &[Option<u32>], height: usize) -> Vec<String> {
    chart_on(Scale::of(values), values, height)
}

/// The same on a scale that has room for all of `values`.
pub fn chart_on(scale: Scale, values: &[Option<u32>], height: usize) -> Vec<String> {
    let Scale { lowest, span } = scale;
    let steps = u64::try_from(height * TREND_LEVELS.len()).unwrap_or(8) - 1;
    // Level 0 is blank and for zero alone.
    let level = |value: Option<u32>| match value {
        None | Some(0) => 0,
        Some(value) => {
            usize::try_from(1 + u64::from(value.saturating_sub(lowest)) * steps / u64::from(span)).unwrap_or(1)
        }
    };
    (0..height)
        .rev()
        .map(|row| values.iter().map(|value| cell(level(*value), row * TREND_LEVELS.len())).collect())
        .collect()
}

/// The character of a column of `level` eighths in the row that begins at `base` eighths.
fn cell(level: usize, base: usize) -> char {
    match level.saturating_sub(base) {
        0 => ' ',
        part => TREND_LEVELS[part.min(TREND_LEVELS.len()) - 1],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bars_are_linear_and_small_ones_show() {
        assert_eq!(bar(8, 8, 4), "████");
        assert_eq!(bar(4, 8, 4), "██");
        assert_eq!(bar(1, 100_000, 4), "▏");
        assert_eq!(bar(0, 8, 4), "");
    }

    #[test]
    fn a_steady_line_is_flat_and_a_rise_uses_the_whole_height() {
        let some = |values: &[u32]| values.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(chart(&some(&[42, 42, 42]), 1), ["▁▁▁"]);
        assert_eq!(chart(&some(&[0, 0, 0]), 1), ["   "]);
        assert_eq!(chart(&some(&[100, 150, 200]), 1), ["▁▄█"]);
        assert_eq!(chart(&some(&[1, 16]), 2), [" █", "▁█"]);
        let scale = Scale::of(&some(&[100, 150, 200]));
        assert_eq!((scale.lowest, scale.highest()), (100, 200));
        let steady = Scale::of(&some(&[1_000]));
        assert_eq!((steady.lowest, steady.highest()), (1_000, 1_100), "a tenth of the highest at least");
    }

    #[test]
    fn where_nothing_is_known_the_chart_is_blank() {
        assert_eq!(chart(&[Some(5), None, Some(5)], 1), ["▁ ▁"]);
        assert_eq!(chart(&[None], 2), [" ", " "]);
        assert_eq!(Scale::of(&[]).highest(), 1);
    }

    proptest! {
        #[test]
        fn nothing_overflows(values: Vec<Option<u32>>, height in 1..4usize, width in 0..60u16) {
            for row in chart(&values, height) {
                prop_assert_eq!(row.chars().count(), values.len());
            }
            prop_assert!(Scale::of(&values).highest() >= values.iter().flatten().copied().max().unwrap_or(0));
            let largest = values.iter().flatten().copied().max().unwrap_or(0);
            for value in values.into_iter().flatten() {
                prop_assert!(bar(value, largest, width).chars().count() <= usize::from(width));
            }
        }
    }
}
