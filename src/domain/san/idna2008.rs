//! What IDNA 2008 (RFC 5891, RFC 5892) asks of a U-label beyond UTS 46, which lets symbols pass as
//! browsers do: no registry takes them, and no CA may sign them.

use icu_properties::props::{GeneralCategory, HangulSyllableType, Script};
use icu_properties::{CodePointMapData, CodePointMapDataBorrowed};

const CATEGORY: CodePointMapDataBorrowed<'static, GeneralCategory> = CodePointMapData::new();
const HANGUL: CodePointMapDataBorrowed<'static, HangulSyllableType> = CodePointMapData::new();
const SCRIPT: CodePointMapDataBorrowed<'static, Script> = CodePointMapData::new();

/// Whether a label that UTS 46 has mapped and taken is one of IDNA 2008. A label in ASCII is.
pub(super) fn is_label(label: &str) -> bool {
    if label.is_ascii() {
        return true;
    }
    let characters: Vec<char> = label.chars().collect();
    // RFC 5891 section 4.2.3.1.
    let reserved = matches!(characters.as_slice(), [_, _, '-', '-', ..]);
    !reserved && characters.iter().enumerate().all(|(at, c)| is_allowed(*c, at, &characters))
}

/// RFC 5892 sections 2 and 3, for what UTS 46 left.
fn is_allowed(c: char, at: usize, label: &[char]) -> bool {
    match c {
        // F, Exceptions: valid ones, those with a rule of their own (Appendix A), and others.
        'ß' | 'ς' | '\u{6fd}' | '\u{6fe}' | '\u{f0b}' | '〇' => true,
        '·' => at > 0 && label.get(at - 1) == Some(&'l') && label.get(at + 1) == Some(&'l'),
        '\u{375}' => label.get(at + 1).is_some_and(|next| SCRIPT.get(*next) == Script::Greek),
        '\u{5f3}' | '\u{5f4}' => {
            at > 0 && label.get(at - 1).is_some_and(|c| SCRIPT.get(*c) == Script::Hebrew)
        }
        '・' => {
            label.iter().any(|c| matches!(SCRIPT.get(*c), Script::Hiragana | Script::Katakana | Script::Han))
        }
        ARABIC_INDIC_ZERO..=ARABIC_INDIC_NINE => !label.iter().any(|c| is_extended_arabic_indic(*c)),
        c if is_extended_arabic_indic(c) => {
            !label.iter().any(|c| (ARABIC_INDIC_ZERO..=ARABIC_INDIC_NINE).contains(c))
        }
        '\u{640}' | '\u{7fa}' | '\u{302e}' | '\u{302f}' | '\u{3031}'..='\u{3035}' | '\u{303b}' => false,
        // H, JoinControl: UTS 46 has the same rules.
        '\u{200c}' | '\u{200d}' => true,
        '-' => true,
        // D, IgnorableBlocks.
        '\u{20d0}'..='\u{20ff}' | '\u{1d100}'..='\u{1d24f}' => false,
        // I, OldHangulJamo.
        c if matches!(
            HANGUL.get(c),
            HangulSyllableType::LeadingJamo
                | HangulSyllableType::VowelJamo
                | HangulSyllableType::TrailingJamo
        ) =>
        {
            false
        }
        // A, LetterDigits.
        c => matches!(
            CATEGORY.get(c),
            GeneralCategory::LowercaseLetter
                // Those of Cherokee, which UTS 46 maps small ones to.
                | GeneralCategory::UppercaseLetter
                | GeneralCategory::OtherLetter
                | GeneralCategory::ModifierLetter
                | GeneralCategory::NonspacingMark
                | GeneralCategory::SpacingMark
                | GeneralCategory::DecimalNumber
        ),
    }
}

const ARABIC_INDIC_ZERO: char = '\u{660}';
const ARABIC_INDIC_NINE: char = '\u{669}';

fn is_extended_arabic_indic(c: char) -> bool {
    ('\u{6f0}'..='\u{6f9}').contains(&c)
}
