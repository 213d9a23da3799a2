//! Stub until helper rules' file arrives.
/// Text of a rule.
#[derive(Debug)]
pub struct RuleText {
    /// id
    pub id: String,
    /// title
    pub title: String,
    /// about
    pub about: String,
    /// remedy
    pub remedy: Vec<String>,
    /// no help
    pub no_help: Vec<String>,
    /// see
    pub see: Vec<String>,
}
/// The text of a rule.
pub fn text(_id: &str) -> Option<&'static RuleText> {
    None
}
