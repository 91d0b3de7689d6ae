using Imet.Chassis;
using Imet.CountryEligibility.V1;
using ErrorReason = Imet.CountryEligibility.V1.ErrorReason;

namespace Imet.CountryEligibility;

/// <summary>What a question must hold beyond its form. The rules of decisions stand in their own room, the judging of questions in <see cref="Evaluation"/>.</summary>
public static class EligibilityDecisions
{
    /// <summary>A mistyped program would fall outside every scope and so pass every bar: it is refused.</summary>
    public static Refusal? CheckQuestion(Question question, string path, CountryRecord? country, IReadOnlySet<string> fundingPrograms, DateOnly on)
    {
        if (country is null || !country.IsValidOn(on))
            return UnknownCountry(question.Country).Field($"{path}.country", "Not an ISO 3166-1 alpha-3 code in use on that day (XKX for Kosovo).");
        if (question.FundingProgram.Length > 0 && !fundingPrograms.Contains(question.FundingProgram))
            return UnknownProgram(question.FundingProgram).Field($"{path}.funding_program", "Not a funding program.");
        if (question.Stage is Stage.Continuing or Stage.InTraining && question.TrackBegunOn is null)
            return DecisionRules.Invalid().Field($"{path}.track_begun_on", "Say when the track began: the stage rests on it.");
        return null;
    }

    public static Refusal UnknownCountry(string code) =>
        Refusal.Of(ErrorReason.CountryCodeInvalid, $"{code} is not the code of a country or territory, or not valid on that day.").With("country", code);

    public static Refusal UnknownProgram(string code) =>
        Refusal.Of(ErrorReason.FundingProgramUnknown, $"There is no funding program {code}; ListFundingPrograms has them all.").With("funding_program", code);
}
