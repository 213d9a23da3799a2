//! Stand-in until the branch `rules` is merged: no texts yet.

/// What is known of a rule.
#[derive(Debug)]
pub struct RuleText {
    /// Its name.
    pub id: String,
    /// A short title.
    pub title: String,
    /// What it means.
    pub about: String,
    /// What to do, first thing first.
    pub remedy: Vec<String>,
    /// What does not help.
    pub no_help: Vec<String>,
    /// Topics.
    pub see: Vec<String>,
}

/// The text of the rule called `id`.
pub fn text(_id: &str) -> Option<&'static RuleText> {
    None
}
