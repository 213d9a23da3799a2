//! Which cell of the selected row is chosen: a column by its keyword, so that it stays chosen when columns come and go.

use crate::table::column::Column;
use crate::table::fit::ColumnSpan;

/// The columns whose cell is chosen until the user chooses one, the first that is shown: they tell most about a row.
const FIRST_CELLS: [&str; 5] = ["peer", "remote", "raddr", "local", "process"];

/// The chosen column of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CellCursor {
    /// The keyword of the column that the user chose.
    chosen: Option<&'static str>,
}

impl CellCursor {
    /// The place of the chosen cell among `shown`, columns of `all`: that of the column that the user chose, else of the one
    /// that tells most; `None` where no column is shown.
    pub fn place<R>(self, all: &[Column<R>], shown: &[ColumnSpan]) -> Option<usize> {
        let place_of =
            |key: &str| shown.iter().position(|span| all.get(span.index).is_some_and(|column| column.key == key));
        let found = self.chosen.and_then(place_of).or_else(|| FIRST_CELLS.iter().find_map(|key| place_of(key)));
        found.or_else(|| (!shown.is_empty()).then_some(0))
    }

    /// Chooses the cell `by` places to the right of the chosen one; past one end comes the other.
    pub fn step<R>(&mut self, all: &[Column<R>], shown: &[ColumnSpan], by: isize) {
        let Some(place) = self.place(all, shown) else { return };
        let next = place.checked_add_signed(by.rem_euclid(shown.len().cast_signed())).unwrap_or(place) % shown.len();
        self.chosen = all.get(shown[next].index).map(|column| column.key);
    }
}

impl CellCursor {
    /// Chooses the cell of the column `index` of `all`.
    pub fn choose<R>(&mut self, all: &[Column<R>], index: usize) {
        self.chosen = all.get(index).map(|column| column.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::connections::COLUMNS;

    fn shown(keys: &[&str]) -> Vec<ColumnSpan> {
        let index = |key: &&str| COLUMNS.iter().position(|column| column.key == *key).expect("a column");
        keys.iter().map(|key| ColumnSpan { index: index(key), x: 0, width: 1 }).collect()
    }

    #[test]
    fn the_cell_that_tells_most_is_chosen_until_the_user_chooses_one_and_that_one_comes_back() {
        let (wide, narrow) = (shown(&["local", "remote", "state", "age"]), shown(&["local", "state"]));
        let mut cell = CellCursor::default();
        assert_eq!((cell.place(COLUMNS, &wide), cell.place(COLUMNS, &narrow)), (Some(1), Some(0)));
        cell.step(COLUMNS, &wide, 2);
        assert_eq!(cell.place(COLUMNS, &wide), Some(3));
        assert_eq!(cell.place(COLUMNS, &narrow), Some(0), "its column is not shown");
        cell.step(COLUMNS, &wide, 1);
        assert_eq!(cell.place(COLUMNS, &wide), Some(0), "past one end comes the other");
        cell.step(COLUMNS, &wide, -1);
        assert_eq!(cell.place(COLUMNS, &wide), Some(3));
        assert_eq!(cell.place(COLUMNS, &[]), None);
    }
}
