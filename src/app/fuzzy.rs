//! How well a text fits what is typed to find it: the typed letters must stand in it in their order, anywhere.

/// Points for a letter at the start of a word.
const WORD_START: i32 = 8;
/// Points for a letter right behind the one before.
const CONSECUTIVE: i32 = 5;
/// Points for a letter in any other place.
const ANYWHERE: i32 = 1;
/// Points for a text that begins with what is typed.
const FIRST: i32 = 4;

/// The score of `text` for `typed`, without regard to case and blanks in `typed`: higher fits better; `None` where a letter is
/// missing. Letters at the start of a word and consecutive ones count more.
pub fn score(typed: &str, text: &str) -> Option<i32> {
    let letters = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
    let wanted: Vec<char> = letters(typed).into_iter().filter(|letter| !letter.is_whitespace()).collect();
    let text = letters(text);
    // The best score of the letters so far whose last one stands at each place.
    let mut best: Vec<Option<i32>> = Vec::new();
    for (number, letter) in wanted.iter().enumerate() {
        // The best of the places before the one before this: what comes from there is not consecutive.
        let mut earlier: Option<i32> = None;
        let mut next = vec![None; text.len()];
        for at in 0..text.len() {
            let adjacent = at.checked_sub(1).and_then(|before| best.get(before).copied().flatten());
            if text[at] == *letter {
                let starts = at == 0 || !text[at - 1].is_alphanumeric();
                let own = if starts { WORD_START } else { ANYWHERE };
                let from_start = if number == 0 { Some(own + if at == 0 { FIRST } else { 0 }) } else { None };
                let consecutive = adjacent.map(|score| score + own.max(CONSECUTIVE));
                next[at] = from_start.max(consecutive).max(earlier.map(|score| score + own));
            }
            earlier = earlier.max(adjacent);
        }
        best = next;
    }
    if wanted.is_empty() { Some(0) } else { best.into_iter().flatten().max() }
}

/// Those of `items` that fit `typed` by one of their texts, best first; equally good ones keep their order.
pub fn ranked<T>(typed: &str, items: Vec<T>, texts: impl Fn(&T) -> Vec<&str>) -> Vec<T> {
    let best = |item: &T| texts(item).into_iter().filter_map(|text| score(typed, text)).max();
    let scored = items.into_iter().filter_map(|item| Some((best(&item)?, item)));
    let mut scored: Vec<_> = scored.collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().map(|(_, item)| item).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn starts_of_words_and_consecutive_letters_come_first_and_ties_stay() {
        let of = |typed: &str, texts: &[&'static str]| ranked(typed, texts.to_vec(), |text| vec![*text]);
        assert_eq!(of("sb", &["absorb", "sort by pid", "sub"]), ["sort by pid", "sub", "absorb"]);
        assert_eq!(of("fil", &["profile", "filter", "find all"]), ["filter", "find all", "profile"]);
        assert_eq!(of("Sort state", &["sort by state", "states"]), ["sort by state"]);
        assert_eq!(of("", &["b", "a"]), ["b", "a"], "nothing typed: the order stays");
        assert_eq!(of("a", &["xa", "ya"]), ["xa", "ya"]);
        assert_eq!(of("zz", &["z"]), [] as [&str; 0]);
    }

    proptest! {
        #[test]
        fn what_is_a_part_of_a_text_is_found_in_it(before in "[a-z ]{0,12}", part in "[a-z]{1,8}", after in "[a-z ]{0,12}") {
            let text = format!("{before}{part}{after}");
            prop_assert!(score(&part, &text).is_some());
            let longer = format!("{text}!");
            prop_assert!(score(&longer, &text).is_none());
        }
    }
}
