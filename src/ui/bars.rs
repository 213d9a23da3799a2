//! Bars and trends: the one scale rule. A bar is linear to the largest of its panel; a trend spans from the lowest to
//! the highest of its own line, but never less than a tenth of the highest, so that a steady line stays flat. What is
//! not zero is never invisible. A graph of what moves stands on zero and reaches to the highest that it shows.

use crate::table::braille;

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

/// The rows, from top to bottom, of a graph of `values` in braille, two of them a cell: it stands on zero, and its top is the
/// highest. Zero is a line of one dot; where nothing is known it is blank.
pub fn graph(values: &[Option<u64>], height: usize) -> Vec<String> {
    let highest = values.iter().flatten().copied().max().unwrap_or(0).max(1);
    // A height in dots; the lowest dot is for zero.
    let steps = u128::try_from(height * braille::DOTS - 1).unwrap_or(1);
    let dots = |value: &Option<u64>| match value {
        None => 0,
        Some(value) => {
            let above = (u128::from(*value) * steps).div_ceil(u128::from(highest));
            1 + usize::try_from(above).unwrap_or(0)
        }
    };
    braille::rows(&values.iter().map(dots).collect::<Vec<_>>(), height)
}

/// A trend in braille, one row high, two values a cell, on the scale of a trend.
pub fn small_trend(values: &[Option<u32>]) -> String {
    let Scale { lowest, span } = Scale::of(values);
    let steps = u64::try_from(braille::DOTS - 1).unwrap_or(1);
    let dots = |value: &Option<u32>| match value {
        None | Some(0) => 0,
        Some(value) => 1 + usize::try_from(u64::from(value - lowest) * steps / u64::from(span)).unwrap_or(0),
    };
    braille::rows(&values.iter().map(dots).collect::<Vec<_>>(), 1).pop().unwrap_or_default()
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
    fn a_graph_tells_zero_from_what_is_not_known_and_loses_nothing_small() {
        assert_eq!(graph(&[Some(0), Some(0), None, None, Some(9), Some(1)], 1), [format!("⣀ {}", braille::pair(4, 2))]);
        assert_eq!(graph(&[Some(0), Some(8)], 2), [braille::pair(0, 4).to_string(), braille::pair(1, 4).to_string()]);
        assert_eq!(graph(&[], 1), [""]);
        assert_eq!(small_trend(&[Some(301), Some(301), None, None]), "⣀ ");
        assert_eq!(small_trend(&[Some(100), Some(200)]), braille::pair(1, 4).to_string());
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
            let wide: Vec<Option<u64>> = values.iter().map(|value| value.map(|value| u64::MAX - u64::from(value))).collect();
            for row in graph(&wide, height) {
                prop_assert_eq!(row.chars().count(), values.len().div_ceil(2));
            }
            prop_assert_eq!(small_trend(&values).chars().count(), values.len().div_ceil(2));
            prop_assert!(Scale::of(&values).highest() >= values.iter().flatten().copied().max().unwrap_or(0));
            let largest = values.iter().flatten().copied().max().unwrap_or(0);
            for value in values.into_iter().flatten() {
                prop_assert!(bar(value, largest, width).chars().count() <= usize::from(width));
            }
        }
    }
}
