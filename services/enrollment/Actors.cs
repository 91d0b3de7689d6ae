namespace Imet.Enrollment;

public static class Actors
{
    /// <summary>What history names where no person acted.</summary>
    public const string Service = "imet.enrollment";
}
