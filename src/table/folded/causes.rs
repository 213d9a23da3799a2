//! Why a line is where it stands, in fewer words where there is little room.

use std::borrow::Cow;

use crate::table::cut::{cells, cut};

/// Causes that have shorter forms, the longest of these first. What is not listed is cut.
const SHORTER: &[(&str, &[&str])] = &[
    ("accept() too slow or limit too small", &["accept() too slow", "queue full", "full"]),
    ("accept() too slow", &["queue full", "full"]),
    ("limit too small", &["queue full", "full"]),
    ("never closed", &["not closed", "unclosed"]),
    ("not reading", &["unread"]),
    ("stuck reader", &["stuck"]),
    ("never accepted", &["unaccepted"]),
    ("the process does not read", &["not reading", "unread"]),
    ("the peer does not read", &["peer not reading", "peer stuck", "stuck"]),
    ("the peer does not answer", &["no answer"]),
    ("the DNS server does not answer", &["DNS: no answer", "no answer"]),
    ("the peer does not close", &["peer is open", "half-open"]),
    ("the peer says nothing", &["silent peer", "silent"]),
    ("peers do not acknowledge the end", &["FIN not acked", "no ACK"]),
    ("handshakes are not finished", &["half-open"]),
    ("connection attempts fail", &["attempts fail", "fails"]),
    ("nobody listens there", &["no listener", "refused"]),
    ("refused, or no way", &["refused"]),
    ("segments or answers are lost", &["loss"]),
    ("receive buffer full", &["buffer full", "full"]),
    ("too many open files", &["EMFILE"]),
    ("too many connections", &["too many"]),
    ("reason unknown", &["unknown"]),
];

/// `cause` in at most `width` cells; a number before it ("3 never closed") stays.
pub fn within(cause: &str, width: u16) -> Cow<'_, str> {
    let fits = |text: &str| cells(text) <= usize::from(width);
    if fits(cause) {
        return Cow::Borrowed(cause);
    }
    let (number, words) = match cause.split_once(' ') {
        Some((number, words)) if number.starts_with(|first: char| first.is_ascii_digit()) => (Some(number), words),
        _ => (None, cause),
    };
    let shorter = SHORTER.iter().find(|(long, _)| *long == words).map_or(&[][..], |(_, shorter)| shorter);
    let with_number = |text: &str| number.map_or_else(|| text.to_owned(), |number| format!("{number} {text}"));
    match shorter.iter().map(|text| with_number(text)).find(|text| fits(text)) {
        Some(text) => Cow::Owned(text),
        None => cut(cause, width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::socket::CloseWaitVerdict;

    #[test]
    fn a_cause_is_said_in_as_many_words_as_fit() {
        let said = |width| within("accept() too slow or limit too small", width);
        assert_eq!(
            [40, 20, 10, 5, 3].map(said),
            ["accept() too slow or limit too small", "accept() too slow", "queue full", "full", "ac…"]
        );
        assert_eq!(within("3 never closed", 12), "3 not closed");
        assert_eq!(within("20/s opened", 12), "20/s opened");
        assert_eq!(within("something else", 8), "somethi…");
    }

    #[test]
    fn every_verdict_has_a_word_for_ten_cells_and_forms_get_shorter() {
        use CloseWaitVerdict::{MissingClose, NotAccepted, NotReading, StuckReader};
        for verdict in [MissingClose, NotReading, StuckReader, NotAccepted] {
            assert!(!within(verdict.words(), 10).contains('…'), "{}", verdict.words());
        }
        for (long, shorter) in SHORTER {
            let lengths: Vec<usize> = std::iter::once(long).chain(*shorter).map(|text| cells(text)).collect();
            assert!(lengths.windows(2).all(|pair| pair[0] > pair[1]), "{long}");
        }
    }
}
