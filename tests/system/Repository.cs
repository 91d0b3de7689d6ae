namespace Imet.SystemTests;

internal static class Repository
{
    public static string Root { get; } = Find();

    /// <summary>A real training report, where the data folder stands beside the checkout; it is no part of the repository.</summary>
    public static string? RealReport
    {
        get
        {
            var file = Path.Combine(Root, "..", "shared", "data", "fmtr", "training-fy2014.tsv");
            return File.Exists(file) ? file : null;
        }
    }

    private static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Imet.sln")))
            folder = folder.Parent ?? throw new DirectoryNotFoundException("Imet.sln");
        return folder.FullName;
    }
}
