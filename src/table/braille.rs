//! Charts in braille: two columns of up to four dots in each cell (Unicode, block Braille Patterns).

/// Dots of a column in one cell.
pub const DOTS: usize = 4;

/// The character with two columns of so many dots, from the bottom; a blank without any.
pub fn pair(left: usize, right: usize) -> char {
    const LEFT: [u32; DOTS] = [0x40, 0x04, 0x02, 0x01];
    const RIGHT: [u32; DOTS] = [0x80, 0x20, 0x10, 0x08];
    let dots = |column: [u32; DOTS], height: usize| column.iter().take(height).sum::<u32>();
    let dots = dots(LEFT, left) + dots(RIGHT, right);
    if dots == 0 { ' ' } else { char::from_u32(0x2800 + dots).unwrap_or(' ') }
}

/// The rows, from top to bottom, of a chart whose columns are so many dots high: two columns a cell, `height` cells.
pub fn rows(columns: &[usize], height: usize) -> Vec<String> {
    let part = |column: usize, base: usize| column.saturating_sub(base);
    let row = |base: usize| {
        let pairs = columns.chunks(2);
        pairs.map(|both| pair(part(both[0], base), both.get(1).map_or(0, |right| part(*right, base)))).collect()
    };
    (0..height).rev().map(|row_number| row(row_number * DOTS)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_on_the_lowest_row_and_none_is_higher_than_there_is_room() {
        assert_eq!(rows(&[1, 2, 3, 4], 1), ["⣠⣾"]);
        assert_eq!(
            rows(&[8, 5, 9], 2),
            [format!("{}{}", pair(4, 1), pair(4, 0)), format!("{}{}", pair(4, 4), pair(4, 0))]
        );
        assert_eq!(rows(&[0, 0], 1), [" "]);
        assert_eq!(rows(&[], 2), ["", ""]);
    }
}
