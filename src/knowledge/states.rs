//! (skeleton) What each state means, and what to do about it.

use crate::model::tcp_state::TcpState;

/// What is known of a state.
pub struct StateText {
    /// One line: what the state is.
    pub meaning: &'static str,
    /// One or two lines: what to do, and what does not help.
    pub advice: &'static str,
}

/// The text of `state`.
pub fn text(state: TcpState) -> &'static StateText {
    let _ = state;
    &StateText { meaning: "", advice: "" }
}
