//! The rule language: text to [`Rule`]s. The crate's documentation describes it.

use std::num::NonZeroU64;
use std::time::Duration;

use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_MECHANISM_TYPE, CK_RV};

use crate::{COVERED, names};

/// One line of the rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The line as written, comment included: what its calls are counted under.
    pub text: String,
    /// One of [`COVERED`].
    pub function: &'static str,
    /// Which calls of the function it is for.
    pub when: When,
    /// What happens then.
    pub action: Action,
    /// The action as written: what the log shows.
    pub action_text: String,
}

/// Which calls a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// All.
    Every,
    /// One, counted from 1.
    Nth(NonZeroU64),
}

impl When {
    /// Whether the call with this number, from 1, is one of them.
    pub fn includes(self, call: u64) -> bool {
        match self {
            Self::Every => true,
            Self::Nth(nth) => nth.get() == call,
        }
    }
}

/// What a rule does to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Comes between the caller and the real module: the effect has not happened.
    Before(Interruption),
    /// Comes between the real module and the caller: the effect has happened, the answer is lost.
    After(Interruption),
    /// Changes what the real module answered.
    Alter(Alteration),
}

/// What can come between the caller and the real module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// The call ends with this value.
    Return(CK_RV),
    /// The call never ends.
    Hang,
    /// The call goes on later.
    Sleep(Duration),
    /// SIGKILL to the own process.
    Kill,
}

/// A lie in a successful answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// No slots, no objects.
    None,
    /// The mechanism is not listed.
    Hide(CK_MECHANISM_TYPE),
    /// The attribute has this value.
    SetBool(CK_ATTRIBUTE_TYPE, bool),
    /// The attribute has this value, if it has its length.
    SetBytes(CK_ATTRIBUTE_TYPE, Vec<u8>),
    /// The attribute is not there.
    Drop(CK_ATTRIBUTE_TYPE),
    /// The private value comes out.
    Reveal(CK_ATTRIBUTE_TYPE, Vec<u8>),
    /// The key comes out, as these bytes.
    Wrapped(Vec<u8>),
    /// The key, or a copy, has the attributes asked for from then on.
    Weaken,
    /// One bit of the signature is wrong.
    FlipBit,
    /// The token has no clock.
    NoClock,
}

impl Alteration {
    /// The functions in whose answers there is something to alter.
    fn functions(&self) -> &'static [&'static str] {
        match self {
            Self::None => &["C_GetSlotList", "C_FindObjects"],
            Self::Hide(_) => &["C_GetMechanismList"],
            Self::SetBool(..) | Self::SetBytes(..) | Self::Drop(_) | Self::Reveal(..) => {
                &["C_GetAttributeValue"]
            }
            Self::Wrapped(_) => &["C_WrapKey"],
            Self::Weaken => &["C_SetAttributeValue", "C_CopyObject"],
            Self::FlipBit => &["C_Sign"],
            Self::NoClock => &["C_GetTokenInfo"],
        }
    }
}

/// A line that is not a rule.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadRule {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// Reads a rule file.
///
/// # Errors
/// The first line that is not a rule, a comment or blank, or that repeats an earlier rule.
pub fn parse(text: &str) -> Result<Vec<Rule>, BadRule> {
    let mut rules: Vec<Rule> = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let words: Vec<&str> = without_comment(text).split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        let rule = rule(text.trim(), &words).map_err(|reason| BadRule { line, reason })?;
        // Calls are counted by the rule's text: two such lines would count every call twice.
        if rules.iter().any(|earlier| earlier.text == rule.text) {
            let reason = "repeats an earlier rule: add a comment to tell them apart".to_owned();
            return Err(BadRule { line, reason });
        }
        rules.push(rule);
    }
    Ok(rules)
}

fn without_comment(line: &str) -> &str {
    line.split_once('#').map_or(line, |(rule, _comment)| rule)
}

fn rule(text: &str, words: &[&str]) -> Result<Rule, String> {
    let &[function_word, when_word, action_word] = words else {
        return Err(format!("`<function> <when> <action>` expected, {} words found", words.len()));
    };
    let function = function(function_word)?;
    let when = when(when_word)?;
    let action = action(action_word)?;
    if let Action::Alter(alteration) = &action
        && !alteration.functions().contains(&function)
    {
        return Err(format!(
            "`{action_word}` alters the answer of {}, not of {function}",
            alteration.functions().join(" or ")
        ));
    }
    Ok(Rule { text: text.to_owned(), function, when, action, action_text: action_word.to_owned() })
}

fn function(word: &str) -> Result<&'static str, String> {
    COVERED
        .iter()
        .find(|name| **name == word)
        .copied()
        .ok_or_else(|| format!("`{word}` is not covered; covered are {}", COVERED.join(", ")))
}

fn when(word: &str) -> Result<When, String> {
    let nth = || word.strip_prefix("nth=")?.parse().ok();
    match word {
        "every" => Ok(When::Every),
        _ => nth().map(When::Nth).ok_or_else(|| format!("`every` or `nth=<1...>` expected, not `{word}`")),
    }
}

fn action(word: &str) -> Result<Action, String> {
    use Action::{After, Alter, Before};

    let (verb, value) = word.split_once('=').map_or((word, None), |(verb, value)| (verb, Some(value)));
    Ok(match (verb, value) {
        ("return-before", Some(code)) => Before(Interruption::Return(names::return_value(code)?)),
        ("return-after", Some(code)) => After(Interruption::Return(names::return_value(code)?)),
        ("hang", None) => Before(Interruption::Hang),
        ("hang-after", None) => After(Interruption::Hang),
        ("sleep-ms", Some(number)) => Before(Interruption::Sleep(milliseconds(number)?)),
        ("kill-before", None) => Before(Interruption::Kill),
        ("kill-after", None) => After(Interruption::Kill),
        ("none", None) => Alter(Alteration::None),
        ("hide", Some(mechanism)) => Alter(Alteration::Hide(names::mechanism(mechanism)?)),
        ("set-bool", Some(setting)) => Alter(set_bool(setting)?),
        ("set-bytes", Some(setting)) => Alter(set_bytes(setting)?),
        ("drop", Some(attribute)) => Alter(Alteration::Drop(names::attribute(attribute)?)),
        ("reveal", Some(setting)) => match set_bytes(setting)? {
            Alteration::SetBytes(attribute, value) => Alter(Alteration::Reveal(attribute, value)),
            other => Alter(other),
        },
        ("wrapped", Some(value)) => Alter(Alteration::Wrapped(
            hexadecimal(value).ok_or_else(|| format!("hexadecimal expected, not `{value}`"))?,
        )),
        ("weaken", None) => Alter(Alteration::Weaken),
        ("flip-bit", None) => Alter(Alteration::FlipBit),
        ("no-clock", None) => Alter(Alteration::NoClock),
        _ => {
            return Err(format!(
                "`{word}` is not an action; actions are return-before=<CKR>, return-after=<CKR>, hang, \
                 hang-after, sleep-ms=<number>, kill-before, kill-after, none, hide=<CKM>, \
                 set-bool=<CKA>:<true|false>, set-bytes=<CKA>:<hexadecimal>, drop=<CKA>, \
                 reveal=<CKA>:<hexadecimal>, wrapped=<hexadecimal>, weaken, flip-bit, no-clock"
            ));
        }
    })
}

fn milliseconds(word: &str) -> Result<Duration, String> {
    let number = word.parse().map_err(|_| format!("a number of milliseconds expected, not `{word}`"))?;
    Ok(Duration::from_millis(number))
}

fn set_bool(setting: &str) -> Result<Alteration, String> {
    let expected = || format!("`<CKA>:true` or `<CKA>:false` expected, not `{setting}`");
    let (attribute, value) = setting.split_once(':').ok_or_else(expected)?;
    Ok(Alteration::SetBool(names::attribute(attribute)?, value.parse().map_err(|_| expected())?))
}

fn set_bytes(setting: &str) -> Result<Alteration, String> {
    let expected = || format!("`<CKA>:<hexadecimal>` expected, not `{setting}`");
    let (attribute, value) = setting.split_once(':').ok_or_else(expected)?;
    Ok(Alteration::SetBytes(names::attribute(attribute)?, hexadecimal(value).ok_or_else(expected)?))
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let bytes = digits.as_bytes().chunks(2).map(|two| u8::from_str_radix(str::from_utf8(two).ok()?, 16).ok());
    bytes.collect::<Option<Vec<u8>>>().filter(|_| digits.len().is_multiple_of(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actions(text: &str) -> Vec<Action> {
        parse(text).unwrap().into_iter().map(|rule| rule.action).collect()
    }

    #[test]
    fn a_rule_names_a_function_its_calls_and_an_action() {
        let rules =
            parse("\n# the second signature fails\n  C_Sign nth=2 return-before=CKR_DEVICE_ERROR # x\n");
        assert_eq!(
            rules,
            Ok(vec![Rule {
                text: "C_Sign nth=2 return-before=CKR_DEVICE_ERROR # x".to_owned(),
                function: "C_Sign",
                when: When::Nth(NonZeroU64::new(2).unwrap()),
                action: Action::Before(Interruption::Return(0x30)),
                action_text: "return-before=CKR_DEVICE_ERROR".to_owned(),
            }])
        );
    }

    #[test]
    fn nth_is_one_call_and_every_is_all() {
        let nth = When::Nth(NonZeroU64::new(2).unwrap());
        assert_eq!([1, 2, 3].map(|call| nth.includes(call)), [false, true, false]);
        assert_eq!([1, 2, 3].map(|call| When::Every.includes(call)), [true; 3]);
    }

    #[test]
    fn every_action_is_understood() {
        let text = "C_Login every return-after=0x80000001\n\
                    C_Sign every hang\n\
                    C_GenerateKeyPair every hang-after\n\
                    C_Sign nth=2 sleep-ms=500\n\
                    C_GenerateKeyPair nth=1 kill-before\n\
                    C_GenerateKeyPair nth=1 kill-after\n\
                    C_FindObjects every none\n\
                    C_GetSlotList every none\n\
                    C_GetMechanismList every hide=CKM_RSA_PKCS_KEY_PAIR_GEN\n\
                    C_GetAttributeValue every set-bool=CKA_EXTRACTABLE:true\n\
                    C_GetAttributeValue every set-bytes=CKA_PUBLIC_EXPONENT:0000ff\n\
                    C_GetAttributeValue every drop=CKA_LOCAL\n\
                    C_GetAttributeValue every reveal=CKA_VALUE:0aff\n\
                    C_WrapKey every wrapped=0aff\n\
                    C_CopyObject every weaken\n\
                    C_Sign every flip-bit\n\
                    C_GetTokenInfo every no-clock\n";
        assert_eq!(
            actions(text),
            [
                Action::After(Interruption::Return(0x8000_0001)),
                Action::Before(Interruption::Hang),
                Action::After(Interruption::Hang),
                Action::Before(Interruption::Sleep(Duration::from_millis(500))),
                Action::Before(Interruption::Kill),
                Action::After(Interruption::Kill),
                Action::Alter(Alteration::None),
                Action::Alter(Alteration::None),
                Action::Alter(Alteration::Hide(0)),
                Action::Alter(Alteration::SetBool(0x162, true)),
                Action::Alter(Alteration::SetBytes(0x122, vec![0, 0, 0xff])),
                Action::Alter(Alteration::Drop(0x163)),
                Action::Alter(Alteration::Reveal(0x11, vec![0x0a, 0xff])),
                Action::Alter(Alteration::Wrapped(vec![0x0a, 0xff])),
                Action::Alter(Alteration::Weaken),
                Action::Alter(Alteration::FlipBit),
                Action::Alter(Alteration::NoClock),
            ]
        );
    }

    #[test]
    fn a_bad_line_is_refused_with_its_number_and_what_is_wrong() {
        for (line, complaint) in [
            ("C_Sign", "1 words"),
            ("C_Sign every hang now", "4 words"),
            ("C_Encrypt every hang", "`C_Encrypt` is not covered"),
            ("C_Sign sometimes hang", "`sometimes`"),
            ("C_Sign nth=0 hang", "`nth=0`"),
            ("C_Sign every explode", "`explode` is not an action"),
            ("C_Sign every hang=1", "`hang=1` is not an action"),
            ("C_Sign every return-before", "`return-before` is not an action"),
            ("C_Sign every return-before=CKR_OOPS", "`CKR_OOPS` is not a name"),
            ("C_Sign every sleep-ms=long", "`long`"),
            ("C_GetAttributeValue every set-bool=CKA_LOCAL", "`<CKA>:true`"),
            ("C_GetAttributeValue every set-bool=CKA_LOCAL:yes", "`<CKA>:true`"),
            ("C_GetAttributeValue every set-bytes=CKA_MODULUS:f", "`<CKA>:<hexadecimal>`"),
            ("C_GetAttributeValue every set-bytes=CKA_MODULUS:0g", "`<CKA>:<hexadecimal>`"),
            ("C_WrapKey every wrapped=0", "hexadecimal"),
            ("C_Sign every weaken", "alters the answer of C_SetAttributeValue or C_CopyObject"),
            ("C_Login every flip-bit", "alters the answer of C_Sign"),
        ] {
            let bad = parse(&format!("# one\nC_Login every hang\n{line}")).unwrap_err();
            assert_eq!(bad.line, 3, "{line}");
            assert!(bad.reason.contains(complaint), "{line}: {}", bad.reason);
        }
    }

    #[test]
    fn the_same_rule_twice_needs_a_comment_to_tell_them_apart() {
        assert_eq!(parse("C_Sign every hang\nC_Sign every hang").unwrap_err().line, 2);
        assert_eq!(parse("C_Sign every hang # a\nC_Sign every hang # b").unwrap().len(), 2);
    }
}
