//! "Did you mean": the nearest known word to one that is not known.

/// Words longer than this are not compared: no name of ours is near that long.
const WORD_LEN_MAX: usize = 32;

/// Edits (insert, delete, replace, swap two neighbours) from `a` to `b`, without regard to case.
pub fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (a, b) = (letters(a), letters(b));
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for (i, &from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &to) in b.iter().enumerate() {
            let mut least = (rows[i][j] + usize::from(from != to)).min(row[j] + 1).min(rows[i][j + 1] + 1);
            if i > 0 && j > 0 && from == b[j - 1] && a[i - 1] == to {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// The nearest of `known` to `word`, if it is near enough to be what was meant.
pub fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > WORD_LEN_MAX {
        return None;
    }
    // Among equals the one with the same first letter, then the first by letter: people seldom miss the first key.
    let first = |text: &str| text.chars().next().map(|letter| letter.to_ascii_lowercase());
    let rank = |name: &'k str| (distance(word, name), first(word) != first(name), name);
    let (edits, _, name) = known.into_iter().map(rank).min()?;
    (edits <= 1 + name.len() / 4 && edits < name.len()).then_some(name)
}

/// "did you mean '…'?", or `otherwise` if nothing is near.
pub fn hint<'k>(word: &str, known: impl IntoIterator<Item = &'k str>, otherwise: &str) -> String {
    closest(word, known).map_or_else(|| otherwise.to_owned(), |name| format!("did you mean '{name}'?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (a, b, edits) in
            [("list", "list", 0), ("lits", "list", 1), ("LISTT", "list", 1), ("", "abc", 3), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a, b), edits, "{a} {b}");
            assert_eq!(distance(b, a), edits, "{b} {a}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = ["process", "pid", "state", "rport"];
        assert_eq!(closest("proces", known), Some("process"));
        assert_eq!(closest("stat", known), Some("state"));
        assert_eq!(closest("prot", known), Some("rport"));
        assert_eq!(closest("elephant", known), None);
        assert_eq!(closest(&"x".repeat(10_000), known), None);
    }
}
