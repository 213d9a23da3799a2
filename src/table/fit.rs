//! Makes a table fit a width: which columns stay, and how wide they are.

use crate::table::column::{Column, ValueKind};

/// Blank cells between two columns, at least.
const GAP: u16 = 1;
/// Blank cells between two columns where there is room for them.
const GAP_WIDE: u16 = 2;

/// What is wider than this (IPv6) is only shown in full where there is room anyway: an IPv4 endpoint takes 21.
pub const COMFORT_WIDTH: u16 = 21;

/// Which of the `chosen` columns fit into `width` cells, with the width of each.
///
/// Whole columns go by rank, the highest first (a column without rank counts as rank 1: it was asked for). What is left
/// over goes to the columns that are not at their greatest width, one cell each in turn, first to the two lowest ranks
/// (endpoints and process; only up to [`COMFORT_WIDTH`] before a name of a host has its room), then to the others. `wanted` (by index of the
/// column, 0 or absent: not known) stops a column from growing beyond its content. The result never exceeds `width`.
pub fn fit<R>(columns: &[Column<R>], chosen: &[usize], width: u16, wanted: &[u16]) -> Vec<(usize, u16)> {
    let least = |index: usize| match wanted.get(index) {
        // Numbers that name something need no more room than they take: most pids are far from the greatest.
        Some(&content) if content > 0 && columns[index].kind == ValueKind::Number => {
            let title = u16::try_from(columns[index].title.len()).unwrap_or(u16::MAX);
            content.max(title).min(columns[index].width.0)
        }
        _ => columns[index].width.0,
    };
    let mut shown: Vec<(usize, u16)> = chosen.iter().map(|&index| (index, least(index))).collect();
    let rank = |index: usize| columns[index].rank.unwrap_or(1);
    while total(&shown) > u32::from(width) {
        let Some((at, _)) = shown
            .iter()
            .enumerate()
            .filter(|(_, (index, _))| rank(*index) > 0)
            .max_by_key(|(_, (index, _))| rank(*index))
        else {
            break;
        };
        shown.remove(at);
    }
    shrink(&mut shown, width);
    let most = |index: usize| match wanted.get(index) {
        Some(&content) if content > 0 => content.clamp(least(index), columns[index].width.1),
        _ => columns[index].width.1,
    };
    if shown.iter().any(|(index, _)| columns[*index].is_hint) {
        grow(&mut shown, width, |index| if rank(index) <= 1 { most(index).min(COMFORT_WIDTH) } else { 0 });
        grow(&mut shown, width, |index| if columns[index].is_hint { most(index) } else { 0 });
    }
    // A cause has shorter forms, a name has none.
    grow(&mut shown, width, |index| {
        if rank(index) <= 1 && !columns[index].is_cause { most(index).min(COMFORT_WIDTH) } else { 0 }
    });
    grow(&mut shown, width, |index| if rank(index) <= 1 { most(index) } else { 0 });
    grow(&mut shown, width, most);
    shown
}

/// Where a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnSpan {
    /// Which column, by its index.
    pub index: usize,
    /// Its first cell.
    pub x: u16,
    /// Its width in cells.
    pub width: u16,
}

/// Places `shown` (see [`fit`]) into `room` cells from `left` on.
///
/// Room that is left over first widens the gaps; what then remains goes to the column that fills up, if that is enough
/// for it.
pub fn place<R>(columns: &[Column<R>], shown: &[(usize, u16)], left: u16, room: u16) -> Vec<ColumnSpan> {
    let gaps = u32::try_from(shown.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let is_wide = total(shown) + gaps * u32::from(GAP_WIDE - GAP) <= u32::from(room);
    let gap = if is_wide { GAP_WIDE } else { GAP };
    let mut x = left;
    let mut places = Vec::with_capacity(shown.len() + 1);
    for &(index, width) in shown {
        places.push(ColumnSpan { index, x, width });
        x += width + gap;
    }
    let spare = (left + room).saturating_sub(x);
    let filler = columns.iter().position(|column| column.fills);
    if let Some(index) = filler.filter(|&index| is_wide && spare >= columns[index].width.0) {
        places.push(ColumnSpan { index, x, width: spare.min(columns[index].width.1) });
    }
    places
}

fn total(shown: &[(usize, u16)]) -> u32 {
    let gaps = shown.len().saturating_sub(1) * usize::from(GAP);
    shown.iter().map(|(_, width)| u32::from(*width)).sum::<u32>() + u32::try_from(gaps).unwrap_or(u32::MAX)
}

/// Where even the columns that always stay are too wide: the widest gives way, of several the leftmost (why a line is there stands at
/// the right), at last the rightmost goes.
fn shrink(shown: &mut Vec<(usize, u16)>, width: u16) {
    while total(shown) > u32::from(width) {
        match shown.iter_mut().rev().max_by_key(|(_, width)| *width) {
            Some((_, widest)) if *widest > 1 => *widest -= 1,
            _ => drop(shown.pop()),
        }
    }
}

fn grow(shown: &mut [(usize, u16)], width: u16, most: impl Fn(usize) -> u16) {
    let mut spare = u32::from(width).saturating_sub(total(shown));
    while spare > 0 {
        let before = spare;
        for (index, width) in &mut *shown {
            if spare > 0 && *width < most(*index) {
                *width += 1;
                spare -= 1;
            }
        }
        if spare == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::column::default_columns;
    use crate::table::connections::{COLUMNS, HOST, NAMESPACE};

    /// What is shown of one host with one network namespace.
    fn usual() -> Vec<usize> {
        default_columns(COLUMNS).into_iter().filter(|&index| ![HOST, NAMESPACE].contains(&COLUMNS[index].key)).collect()
    }

    fn keys(width: u16) -> Vec<&'static str> {
        fit(COLUMNS, &usual(), width, &[]).iter().map(|(index, _)| COLUMNS[*index].key).collect()
    }

    #[test]
    fn eighty_cells_show_who_leaks_where_since_when_and_why() {
        for key in ["local", "remote", "state", "age", "process", "pid", "verdict"] {
            assert!(keys(78).contains(&key), "{key} is not in {:?}", keys(78));
        }
    }

    #[test]
    fn short_pids_leave_their_room_to_the_addresses() {
        let mut wanted = vec![21; COLUMNS.len()];
        let pid = COLUMNS.iter().position(|column| column.key == "pid").expect("there is a pid column");
        let width = |wanted: &[u16], key: &str| {
            let shown = fit(COLUMNS, &usual(), 78, wanted);
            shown.iter().find(|(index, _)| COLUMNS[*index].key == key).map(|(_, width)| *width)
        };
        wanted[pid] = 4;
        let loopback = u16::try_from("127.0.0.1:42238".len()).expect("short");
        assert_eq!(width(&wanted, "pid"), Some(4));
        assert!(width(&wanted, "remote").is_some_and(|width| width >= loopback));
        wanted[pid] = 7;
        assert_eq!(width(&wanted, "pid"), Some(7));
    }

    #[test]
    fn wider_screens_show_more_and_never_less() {
        for width in 1..300 {
            let (narrow, wide) = (keys(width), keys(width + 1));
            assert!(narrow.iter().all(|key| wide.contains(key)), "{width}: {narrow:?} {wide:?}");
        }
        assert_eq!(keys(300).len(), usual().len());
    }

    #[test]
    fn ipv6_is_shown_in_full_where_there_is_room() {
        let shown = fit(COLUMNS, &usual(), 250, &[]);
        let local = shown.iter().find(|(index, _)| COLUMNS[*index].key == "local").expect("local always stays");
        assert!(local.1 >= 47, "{local:?}");
    }

    #[test]
    fn a_column_does_not_grow_beyond_its_content() {
        let mut wanted = vec![0; COLUMNS.len()];
        let local = COLUMNS.iter().position(|column| column.key == "local").expect("there is a local column");
        wanted[local] = 21;
        let shown = fit(COLUMNS, &usual(), 250, &wanted);
        assert!(shown.contains(&(local, 21)), "{shown:?}");
    }

    #[test]
    fn spare_room_widens_the_gaps_and_then_shows_the_command() {
        let shown = fit(COLUMNS, &default_columns(COLUMNS), 150, &vec![1; COLUMNS.len()]);
        let (narrow, widths) = (total(&shown), u16::try_from(total(&shown)).expect("few cells"));
        assert!(narrow <= 150);
        let last = |room: u16| place(COLUMNS, &shown, 2, room).last().map(|place| (COLUMNS[place.index].key, place.x));
        assert_eq!(last(widths).map(|(key, _)| key), Some("verdict"));
        let gaps = u16::try_from(shown.len()).expect("few columns") - 1;
        assert_eq!(last(widths + gaps).map(|(_, x)| x), last(widths).map(|(_, x)| x + gaps));
        assert_eq!(last(widths + gaps + 60).map(|(key, _)| key), Some("command"));
    }

    proptest! {
        #[test]
        fn the_result_always_fits(width in 0u16..400, chosen in proptest::collection::vec(0..COLUMNS.len(), 0..40)) {
            let shown = fit(COLUMNS, &chosen, width, &[]);
            prop_assert!(total(&shown) <= u32::from(width) || shown.is_empty());
            let places = place(COLUMNS, &shown, 2, width);
            prop_assert!(places.windows(2).all(|pair| pair[0].x + pair[0].width < pair[1].x));
            prop_assert!(places.last().is_none_or(|last| last.x + last.width <= width + 2));
        }
    }
}
