using Spectre.Console;

namespace Imet.Cli.Touring;

/// <summary>What the tour says, and how many of its promises were broken. Colour on a terminal, plain text elsewhere.</summary>
public sealed class Telling(IAnsiConsole console)
{
    public int Broken { get; private set; }

    public void Chapter(string title)
    {
        console.WriteLine();
        console.MarkupLineInterpolated($"[bold]{title}[/]");
    }

    public void Say(string text) => console.MarkupLineInterpolated($"  {text}");

    public void Asked(string text) => console.MarkupLineInterpolated($"  [blue]asked[/]     {text}");

    public void Answered(string text) => console.MarkupLineInterpolated($"  [blue]answered[/]  {text}");

    public void Because(string text) => console.MarkupLineInterpolated($"  [blue]because[/]   {text}");

    public void Promise(bool kept, string text)
    {
        if (kept)
        {
            console.MarkupLineInterpolated($"  [green]ok[/]        {text}");
            return;
        }
        Broken++;
        console.MarkupLineInterpolated($"  [red]NOT SO[/]    {text}");
    }

    public void Table(IReadOnlyList<string> head, IEnumerable<IReadOnlyList<string>> rows)
    {
        var table = new Table { Border = TableBorder.Simple, Expand = false };
        foreach (var column in head)
            table.AddColumn(new TableColumn(Markup.Escape(column)).NoWrap());
        foreach (var row in rows)
            table.AddRow([.. row.Select(cell => new Text(cell))]);
        console.Write(new Padder(table, new Padding(1, 0, 0, 0)));
    }

    public void Verbatim(string line) => console.Profile.Out.Writer.WriteLine(line);
}
