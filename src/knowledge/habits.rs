//! What people type elsewhere, and what does it here: the table `assets/habits.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

/// One habit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Habit {
    /// Whose habit: netstat, ss, lsof, others.
    pub tool: String,
    /// What is typed there.
    pub habit: String,
    /// What is typed here.
    pub conntop: String,
    /// What one sees.
    pub about: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HabitsFile {
    habit: Vec<Habit>,
}

/// Every habit, by tool.
pub static HABITS: LazyLock<Vec<Habit>> = LazyLock::new(|| {
    let file: HabitsFile =
        toml::from_str(include_str!("../../assets/habits.toml")).expect("assets/habits.toml is tested");
    file.habit
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_its_habits_and_every_answer_is_ours() {
        for tool in ["netstat (Windows)", "netstat (Linux)", "ss", "lsof"] {
            assert!(HABITS.iter().filter(|habit| habit.tool == tool).count() >= 5, "{tool}");
        }
        for habit in HABITS.iter() {
            assert!(habit.conntop == "conntop" || habit.conntop.starts_with("conntop "), "{habit:?}");
            assert!(!habit.about.is_empty() && !habit.about.ends_with('.'), "{habit:?}");
        }
    }
}
