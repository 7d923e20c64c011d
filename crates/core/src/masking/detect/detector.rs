//! The detectors by name.

/// A detector. Its name is the tag of what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Detector {
    /// E-mail addresses.
    Email,
    /// Payment card numbers with a good Luhn digit, in groups or not.
    Card,
    /// International bank account numbers with good check digits.
    Iban,
    /// Telephone numbers: international, and North American in their usual forms.
    Phone,
    /// US social security numbers in the form `NNN-NN-NNNN`.
    UsSsn,
    /// Spanish DNI and NIE with their letter.
    EsDni,
    /// French NIR with its key.
    FrNir,
    /// Brazilian CPF with its two digits.
    BrCpf,
    /// Polish PESEL with a date and its digit.
    PlPesel,
    /// Finnish personal identity codes with a date and their character.
    FiHetu,
    /// Indian Aadhaar numbers with their Verhoeff digit.
    InAadhaar,
    /// Swedish personal identity numbers with a date and their Luhn digit.
    SePersonnummer,
    /// JSON Web Tokens.
    Jwt,
    /// PEM private keys.
    PrivateKey,
    /// AWS access key ids, and secret access keys next to their name.
    AwsKey,
    /// Google API keys, OAuth tokens, and the key id of a service account.
    GcpKey,
    /// GitHub tokens.
    GithubToken,
}

impl Detector {
    /// All detectors.
    pub const ALL: [Self; 17] = [
        Self::Email,
        Self::Card,
        Self::Iban,
        Self::Phone,
        Self::UsSsn,
        Self::EsDni,
        Self::FrNir,
        Self::BrCpf,
        Self::PlPesel,
        Self::FiHetu,
        Self::InAadhaar,
        Self::SePersonnummer,
        Self::Jwt,
        Self::PrivateKey,
        Self::AwsKey,
        Self::GcpKey,
        Self::GithubToken,
    ];

    /// The detector's name, which is the tag of what it finds.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Phone => "phone",
            Self::UsSsn => "us_ssn",
            Self::EsDni => "es_dni",
            Self::FrNir => "fr_nir",
            Self::BrCpf => "br_cpf",
            Self::PlPesel => "pl_pesel",
            Self::FiHetu => "fi_hetu",
            Self::InAadhaar => "in_aadhaar",
            Self::SePersonnummer => "se_personnummer",
            Self::Jwt => "jwt",
            Self::PrivateKey => "private_key",
            Self::AwsKey => "aws_key",
            Self::GcpKey => "gcp_key",
            Self::GithubToken => "github_token",
        }
    }

    /// The detector with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|detector| detector.name() == name)
    }
}
