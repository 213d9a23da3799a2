//! How the body of the findings tab is shared between the list and the text of the selected finding.

use ratatui::layout::Rect;

/// The list takes this part (a divisor) of the body at most, and at least so many lines.
const LIST_DIVISOR: u16 = 3;
const LIST_HEIGHT_MIN: u16 = 3;

/// The parts of the body, from top to bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingsLayout {
    /// The list, one line a finding.
    pub list: Rect,
    /// The line between list and text, with the name of the rule.
    pub rule: Rect,
    /// What there is to say about the selected one.
    pub text: Rect,
}

/// The parts of `body` for a list of `count` findings.
pub fn findings_layout(body: Rect, count: usize) -> FindingsLayout {
    let most = (body.height / LIST_DIVISOR).max(LIST_HEIGHT_MIN);
    let wanted = u16::try_from(count).unwrap_or(u16::MAX).clamp(1, most);
    let list_height = wanted.min(body.height.saturating_sub(1));
    let list = Rect { height: list_height, ..body };
    let rule = Rect { y: list.bottom(), height: 1.min(body.height - list_height), ..body };
    FindingsLayout { list, rule, text: Rect { y: rule.bottom(), height: body.bottom() - rule.bottom(), ..body } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_fill_the_body() {
        for (height, count) in (1..80).flat_map(|height| [0, 1, 2, 5, 64].map(|count| (height, count))) {
            let body = Rect::new(0, 4, 80, height);
            let panes = findings_layout(body, count);
            assert_eq!(panes.list.height + panes.rule.height + panes.text.height, height, "{panes:?}");
            assert_eq!(panes.text.bottom(), body.bottom());
        }
        assert_eq!(findings_layout(Rect::new(0, 4, 80, 19), 20).list.height, 6);
    }
}
