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

/// `values`, oldest first, squeezed into at most `width` values: each the highest of the samples it stands for. The
/// newest stands at the end.
pub fn squeeze(values: &[u32], samples: usize, width: usize) -> Vec<u32> {
    let per_cell = samples.div_ceil(width.max(1)).max(1);
    let mut cells: Vec<u32> =
        values.rchunks(per_cell).take(width).map(|chunk| chunk.iter().copied().max().unwrap_or(0)).collect();
    cells.reverse();
    cells
}

/// The rows, from top to bottom, of a chart of `values` that is `height` cells high.
pub fn chart(values: &[u32], height: usize) -> Vec<String> {
    let highest = values.iter().copied().max().unwrap_or(0);
    let lowest = values.iter().copied().min().unwrap_or(0);
    let span = (highest - lowest).max(highest.div_ceil(TREND_SPAN_PART)).max(1);
    let steps = u64::try_from(height * TREND_LEVELS.len()).unwrap_or(8) - 1;
    // Level 0 is blank and for zero alone.
    let level = |value: u32| match value {
        0 => 0,
        value => usize::try_from(1 + u64::from(value - lowest) * steps / u64::from(span)).unwrap_or(1),
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
        assert_eq!(chart(&[42, 42, 42], 1), ["▁▁▁"]);
        assert_eq!(chart(&[0, 0, 0], 1), ["   "]);
        assert_eq!(chart(&[100, 150, 200], 1), ["▁▄█"]);
        assert_eq!(chart(&[1, 16], 2), [" █", "▁█"]);
    }

    #[test]
    fn the_newest_sample_ends_the_trend() {
        assert_eq!(squeeze(&[1, 9, 2, 3, 4], 6, 3), [1, 9, 4]);
        assert_eq!(squeeze(&[5], 120, 10), [5]);
        assert!(squeeze(&[], 120, 10).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_overflows(values: Vec<u32>, height in 1..4usize, width in 0..60u16) {
            for row in chart(&values, height) {
                prop_assert_eq!(row.chars().count(), values.len());
            }
            let largest = values.iter().copied().max().unwrap_or(0);
            for value in values {
                prop_assert!(bar(value, largest, width).chars().count() <= usize::from(width));
            }
        }
    }
}
