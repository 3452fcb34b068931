"""The words and sentences of the commands in Russian: of those that customers and operators use."""

from __future__ import annotations

from typing import Final

#: What click writes above and before.
HEADINGS: Final = {
    "Usage": "Использование",
    "Options": "Параметры",
    "Commands": "Команды",
    "Error": "Ошибка",
    "Example": "Пример",
    "Examples": "Примеры",
}
EXTRAS: Final = {
    "env var: ": "переменная: ",
    "default: ": "по умолчанию: ",
    "required": "обязательно",
    "30 days before the end": "30 дней до конца",
    "by the locale": "по локали",
    "]; ": "; ",
}

#: Headings, names of facts, and values of ours, each as it stands.
WORDS: Final = {
    # Accounts.
    "Password": "Пароль",
    "password": "пароль",
    "One-time secret": "Секрет одноразовых кодов",
    "one-time secret": "секрет одноразовых кодов",
    "one-time codes": "одноразовые коды",
    "id": "id",
    "account": "кабинет",
    "standing": "состояние",
    "until": "до",
    "login": "логин",
    "role": "роль",
    "declarant category": "категория заявителя",
    "session": "сессия",
    "open orders": "открытых заказов",
    "open": "открыто",
    "last opened": "последнее открытие",
    "comment": "комментарий",
    "stored": "есть",
    "none": "нет",
    "active": "работает",
    "inactive": "выключен",
    "orders nothing: set its --declarant-category": "ничего не заказывает: задайте --declarant-category",
    "can't log in: set its password or import a session": "не может войти: задайте пароль или импортируйте сессию",
    "There is no account yet: add one with `orders-service accounts add USERNAME`.": (
        "Кабинетов ещё нет: добавьте командой `orders-service accounts add USERNAME`."
    ),
    "Say what to change: --password, --totp, --gu-login, --declarant-category, --role or --comment.": (
        "Скажите, что изменить: --password, --totp, --gu-login, --declarant-category, --role или --comment."
    ),
    # Sessions.
    "There is no AUTH_TOKEN among them: was the browser logged in to the portal?": (
        "Среди них нет AUTH_TOKEN: был ли в браузере выполнен вход на портал?"
    ),
    "--portal-url must be an address like https://lk.rosreestr.ru.": (
        "--portal-url должен быть адресом вида https://lk.rosreestr.ru."
    ),
    "it is empty: export the cookies while you are logged in to the portal.": (
        "файл пуст; выгрузите cookie, войдя на портал."
    ),
    "there are no cookies in it: export them while you are logged in to the portal.": (
        "в файле нет cookie; выгрузите их, войдя на портал."
    ),
    "it isn't text: export the cookies as JSON or as cookies.txt.": (
        "это не текст; выгрузите cookie как JSON или cookies.txt."
    ),
    "its JSON can't be read: export the cookies again.": "JSON не прочитать; выгрузите cookie ещё раз.",
    "an object of other things": "объект с чем-то другим",
    "a list of other things": "список чего-то другого",
    "a text": "текст",
    "a single value": "одно значение",
    (
        "it is a HAR without cookies, since browsers leave them out: export it with sensitive data, or copy the "
        "Cookie header."
    ): (
        "это HAR без cookie: браузеры их не пишут; выгрузите его с конфиденциальными данными или скопируйте заголовок "
        "Cookie."
    ),
    (
        "it is in no form that is known: give cookies.txt, the JSON of an extension, a browser's state, a HAR, a "
        "Cookie header, or a request copied as cURL."
    ): (
        "форма неизвестна; дайте cookies.txt, JSON расширения, состояние браузера, HAR, заголовок Cookie или запрос, "
        "скопированный как cURL."
    ),
    "the browser's window has shortened the header (…): copy its value by the menu.": (
        "окно браузера сократило заголовок (…); скопируйте его значение через меню."
    ),
    "the header breaks off in its last cookie: copy it again, whole.": (
        "заголовок обрывается на последней cookie; скопируйте его ещё раз целиком."
    ),
    "the command copied as cURL breaks off: copy it again, whole.": (
        "команда, скопированная как cURL, обрывается; скопируйте её ещё раз целиком."
    ),
    "the command copied as cURL has no cookies: copy a request that the portal got while you were logged in.": (
        "в команде, скопированной как cURL, нет cookie; скопируйте запрос к порталу, сделанный после входа."
    ),
    # The service.
    "doesn't speak TLS, as ORDERS_SERVICE_TLS says": "не говорит по TLS, хотя так велит ORDERS_SERVICE_TLS",
    "speaks TLS": "говорит по TLS",
    "The orders service is away: it is asked again until it is back.": (
        "Сервис заказов недоступен: он будет спрошен снова, пока не вернётся."
    ),
    # Numbers of orders.
    "of": "чьи",
    "all": "все",
    "(none)": "(ничьи)",
    "accepted": "принято",
    "on hold": "ждёт человека",
    "charges": "оплат",
    "not known yet": "ещё неизвестно",
    "accepted from": "приняты с",
    "before": "до",
    "extracts": "выписок",
    "half of them within": "половина за",
    "nine of ten within": "девять из десяти за",
    "all within": "все за",
    # Decisions.
    "case": "случай",
    "send": "отправка",
    "finish answered": "ответ на оплату",
    "balance": "баланс",
    "unread facts": "непрочитанные факты",
    "row": "строка",
    "number": "номер",
    "object": "объект",
    "status": "статус",
    "first seen": "впервые видна",
    "last seen": "видна последний раз",
    "Give --case: `orders-service orders show ID` prints it, with each decision ready to copy.": (
        "Укажите --case: его печатает `orders-service orders show ID`, и каждое решение готовой командой."
    ),
    "Give either --number or --absent.": "Укажите либо --number, либо --absent.",
    "--unseen goes with --number.": "--unseen бывает только с --number.",
    "--row goes with --absent.": "--row бывает только с --absent.",
    # Extracts.
    "extract": "выписка",
    "notice": "уведомление",
    "quarantined": "отложено",
    "kind": "вид",
    "address": "адрес",
    "area": "площадь",
    "measures": "характеристики",
    "floor": "этаж",
    "cost": "стоимость",
    "record": "запись",
    "holders": "правообладатели",
    "named": "названы",
    "a right is registered, its holder is hidden": "право зарегистрировано, правообладатель скрыт",
    "no right is registered": "право не зарегистрировано",
    "right": "право",
    "since": "с",
    "share": "доля",
    "encumbrance": "обременение",
    "period": "срок",
    "in favour of": "в пользу",
    "(hidden)": "(скрыто)",
    # Orders.
    "order": "заказ",
    "at the portal": "на портале",
    "recipient": "получатель",
    "idempotency key": "ключ",
    "urgent": "срочно",
    "yes": "да",
    "registered": "зарегистрирован",
    "finished": "закончен",
    "next look": "следующая проверка",
    "when": "когда",
    "who": "кто",
    "what": "что",
    "why": "почему",
    "state": "состояние",
    "key": "ключ",
    "No order waits for a person.": "Ни один заказ не ждёт человека.",
    "There are no such orders.": "Таких заказов нет.",
    "no clock can count with this day.": "такого дня нет ни на одних часах.",
    # Files of orders.
    "file": "файл",
    "sheet": "лист",
    "headings": "заголовки",
    "the number": "номер",
    "the key": "ключ",
    "the recipient": "получатель",
    "the comment": "комментарий",
    "urgency": "срочность",
    "left out": "пропущено",
    "orders": "заказы",
    "of one object": "об одном объекте",
    "bad rows": "неверных строк",
    "where": "где",
    "1 row is bad": "неверна 1 строка",
    "all of them go to a file with --errors": "все запишет в файл --errors",
    "The order may be accepted": "Заказ, возможно, принят",
    "The orders may be accepted": "Заказы, возможно, приняты",
    "Nothing was ordered.": "Ничего не заказано.",
    "made of object, recipient and --batch": "из объекта, получателя и --batch",
    "To order what is already there once more, on purpose, give another --batch.": (
        "Чтобы намеренно заказать то, что уже есть, ещё раз, дайте другой --batch."
    ),
    "Give either --cad-num (several times if you like) or --file.": (
        "Укажите либо --cad-num (можно несколько раз), либо --file."
    ),
    "--idempotency-key names one order: give one --cad-num, or a column in the file.": (
        "--idempotency-key называет один заказ: укажите один --cad-num или столбец в файле."
    ),
    "--timeout goes with --wait.": "--timeout бывает только с --wait.",
    "--column, --sheet, --encoding, --preview and --errors go with --file.": (
        "--column, --sheet, --encoding, --preview и --errors бывают только с --file."
    ),
    # Webhooks.
    "token": "токен",
    "client": "клиент",
    "url": "адрес",
    "private": "внутри сети",
    "waiting": "ждут отправки",
    "last taken": "последний приём",
    "last failed": "последняя неудача",
    "last error": "последняя ошибка",
    "old secret": "прежний секрет",
    "made": "создано",
    "told": "сообщено",
    "tries": "попыток",
    "last try": "последняя попытка",
    "answer": "ответ",
    "may be inside the network": "может быть внутри сети",
    "on": "включён",
    "Keep it now: it isn't shown again. The receiver checks signatures with it.": (
        "Сохраните его сейчас: больше он не показывается. По нему получатель проверяет подписи."
    ),
    "There is no such notification.": "Таких уведомлений нет.",
    "There is none that is over, and whose webhook is on.": (
        "Нет ни одного законченного уведомления, вебхук которого включён."
    ),
    "Say which: IDs, --order or --state.": "Укажите, какие: ID, --order или --state.",
}

#: Sentences with values in them: `{}` is a value as it is, `{*}` one of ours.
SENTENCES: Final = {
    "Account {} was added.": "Кабинет {0} добавлен.",
    "Account {} was changed.": "Кабинет {0} изменён.",
    "Account {} takes no new orders.": "Кабинет {0} не принимает новых заказов.",
    "Account {} is active.": "Кабинет {0} работает.",
    "The session of {} was stored (cookies: {}).": "Сессия кабинета {0} сохранена (cookie: {1}).",
    "{} has no session now.": "У кабинета {0} больше нет сессии.",
    "stands by ({}): {}": "простаивает ({0}): {1}",
    "No {*} came on standard input: pipe one in, or run this in a terminal.": (
        "На стандартном вводе нет того, что нужно ({0}): передайте его или запустите в терминале."
    ),
    # Sessions.
    "{} gives no session: {*}": "{0}: сессии здесь нет: {1}",
    "Left out, since they have expired: {}": "Отброшены, так как просрочены: {0}",
    "Left out, since they are of other sites: {}": "Отброшено чужих сайтов: {0}",
    "Left out, since no request can carry them: {}": "Отброшено непригодных для запроса: {0}",
    "Twice, without a path, so the first was taken: {}. The export of an extension tells them apart.": (
        "Дважды и без пути, поэтому взят первый: {0}. Выгрузка расширением их различает."
    ),
    "it has more than {} MiB: export the portal's cookies alone.": (
        "в файле больше {0} МиБ; выгрузите только cookie портала."
    ),
    "its JSON breaks off or is damaged at line {}, column {}: export it again, whole.": (
        "JSON обрывается или повреждён (строка {0}, столбец {1}); выгрузите его ещё раз целиком."
    ),
    (
        "its JSON is {*}, not cookies: give the export of an extension, a browser's state (cookies), a HAR, or an "
        "object of cookie names and values."
    ): (
        "в JSON {0}, а не cookie; дайте выгрузку расширения, состояние браузера (cookies), HAR или объект с именами и "
        "значениями cookie."
    ),
    "cookie number {} has no name or no value that is a text: export them again.": (
        "у cookie номер {0} нет имени или значения в виде текста; выгрузите их ещё раз."
    ),
    "it has no cookie of {}, only of other sites ({}): export them on the portal's page.": (
        "нет ни одной cookie сайта {0}, только чужие ({1}); выгружайте их на странице портала."
    ),
    "all its cookies of {} have expired ({}): log in to the portal again, and export them then.": (
        "все cookie сайта {0} просрочены ({1}); войдите на портал заново и выгрузите их после этого."
    ),
    "no request can carry its cookies of {} ({}): they are damaged, export them again.": (
        "cookie сайта {0} непригодны для запроса ({1}): они повреждены, выгрузите их ещё раз."
    ),
    "it has {} cookies of {}, and up to {} are taken.": "в файле {0} cookie сайта {1}, а принимается не больше {2}.",
    "it is a HAR without a request to {} ({} to others): record one on the portal's page.": (
        "это HAR без запросов к {0} (к другим: {1}); запишите его на странице портала."
    ),
    (
        "line {} isn't one of a cookies.txt, which has {} fields with tabs between: it is cut or was edited, export it "
        "again."
    ): (
        "строка {0} не из cookies.txt, где {1} полей через табуляцию: файл обрезан или изменён, выгрузите его ещё раз."
    ),
    "the request goes to another host, not to {}: copy one to the portal.": (
        "запрос идёт на другой сайт, а не на {0}; скопируйте запрос к порталу."
    ),
    (
        "The orders service at {} can't be reached: start it with `orders-service serve`, or set ORDERS_SERVICE_HOST "
        "and ORDERS_SERVICE_PORT. (Perhaps it {*}: then change ORDERS_SERVICE_TLS.)"
    ): (
        "Сервис заказов по адресу {0} недоступен: запустите его (`orders-service serve`) или задайте "
        "ORDERS_SERVICE_HOST и ORDERS_SERVICE_PORT. (Возможно, он {1}: тогда измените ORDERS_SERVICE_TLS.)"
    ),
    "The orders service at {} broke off in mid-call: run the same command again.": (
        "Сервис заказов по адресу {0} оборвал вызов: повторите ту же команду."
    ),
    "The orders service at {} didn't answer in time: run the same command again.": (
        "Сервис заказов по адресу {0} не ответил вовремя: повторите ту же команду."
    ),
    (
        "The orders service at {} and this command don't trust each other by TLS: check ORDERS_SERVICE_TLS_CA_FILE, "
        "that the service's certificate has the name by which it is called, and, where it asks for one, "
        "ORDERS_SERVICE_TLS_CERT_FILE and ORDERS_SERVICE_TLS_KEY_FILE."
    ): (
        "Сервис заказов по адресу {0} и эта команда не доверяют друг другу по TLS: проверьте "
        "ORDERS_SERVICE_TLS_CA_FILE, имя в сертификате сервиса и, если он сам спрашивает сертификат, "
        "ORDERS_SERVICE_TLS_CERT_FILE и ORDERS_SERVICE_TLS_KEY_FILE."
    ),
    "What answers at {} isn't this version's orders service ({}).": (
        "По адресу {0} отвечает не сервис заказов этой версии ({1})."
    ),
    "day ({})": "день ({0})",
    "may be: {}": "можно: {0}",
    "{} ({} order, {} bytes)": "{0} (заказов: {1}, байт: {2})",
    "{} ({} orders, {} bytes)": "{0} (заказов: {1}, байт: {2})",
    "{} ({} bytes); what it holds is in its list.": "{0} (байт: {1}); что в нём есть, сказано в его списке.",
    "--to {}: name a file that ends in .xlsx or .csv.": "--to {0}: имя файла должно кончаться на .xlsx или .csv.",
    "{} is there already: choose another place with --to, or replace it with --force.": (
        "{0} уже есть: выберите другое место (--to) или замените (--force)."
    ),
    "{} can't be written: {}.": "{0} не записать: {1}.",
    "{} can't be read: {}.": "{0} не прочитать: {1}.",
    "The extract of order {} arrived damaged: download it again.": (
        "Выписка по заказу {0} пришла повреждённой: скачайте её ещё раз."
    ),
    "{} of {} are over": "закончено {0} из {1}",
    "Order {} is accepted and goes on without this command; see `orders-service orders list`.": (
        "Заказ {0} принят и идёт дальше без этой команды; см. `orders-service orders list`."
    ),
    "Orders {} are accepted and go on without this command; see `orders-service orders list`.": (
        "Заказы {0} приняты и идут дальше без этой команды; см. `orders-service orders list`."
    ),
    "The {} s of --timeout are over. {*}": "Время --timeout ({0} с) вышло. {1}",
    "{} of {} orders have no extract and won't get one without you: {}.": (
        "Заказов без выписки, которая без вас и не появится: {0} из {1} ({2})."
    ),
    "{} of {} orders have no extract and won't get one without you: {}. {*}": (
        "Заказов без выписки, которая без вас и не появится: {0} из {1} ({2}). {3}"
    ),
    "order {} {}: {}": "заказ {0} {1}: {2}",
    "{} rows are bad": "неверных строк: {0}",
    "{}: {*}. Nothing was ordered.": "{0}: {1}. Ничего не заказано.",
    "{}: {} bad rows; as it is, nothing would be ordered.": (
        "{0}: неверных строк: {1}; так ничего не было бы заказано."
    ),
    "--errors {} is the file of orders itself: name another.": (
        "--errors {0} и есть сам файл заказов: назовите другой."
    ),
    "all of them are in {}": "все они в {0}",
    "… and {} more: {*}.": "… и ещё {0}: {1}.",
    "… and {} more.": "… и ещё {0}.",
    "… and {} more: see `orders-service orders list`.": "… и ещё {0}: см. `orders-service orders list`.",
    "{} rows name an object once more": "строк об уже названном объекте: {0}",
    "{} (waits for a person: {})": "{0} (ждёт человека: {1})",
    "{*} instead of an extract": "{0} вместо выписки",
    "{} ({*}, {} bytes)": "{0} ({1}, байт: {2})",
    "{*}: {}, {} bytes, sha256 {} {}": "{0}: {1}, байт: {2}, sha256 {3} {4}",
    "There are more: --page-token {}": "Есть ещё: --page-token {0}",
    "  To look at it: {}": "  Посмотреть: {0}",
    "{*}: run the SAME command again, it orders nothing twice.": (
        "{0}: повторите ТУ ЖЕ команду, она ничего не закажет дважды."
    ),
    "{} accepted, {} already there.": "Принято: {0}, уже было: {1}.",
    "Their keys: {*}; the same command again orders nothing twice.": (
        "Их ключи: {0}; та же команда ещё раз ничего не закажет дважды."
    ),
    # What click says of options.
    "Invalid value for {}: {*}": "Недопустимое значение {0}: {1}",
    "Invalid value: {*}": "Недопустимое значение: {0}",
    "Missing option {}.": "Не хватает параметра {0}.",
    "Missing argument {}.": "Не хватает аргумента {0}.",
    "There are too many words after `{}`; a password is asked for, or read from standard input.": (
        "После `{0}` слишком много слов; пароль спрашивается или читается со стандартного ввода."
    ),
    "No such option: {}": "Нет параметра {0}",
    "No such command {}.": "Нет команды {0}.",
    "{} is not in the range {}.": "{0} вне пределов {1}.",
    "{} is not a valid integer range.": "{0} не целое число.",
    "{} is not a valid float range.": "{0} не число.",
    "{} is not one of {}.": "{0} не из числа: {1}.",
    "it isn't UTF-8: set the terminal and the locale to UTF-8.": (
        "это не UTF-8: включите UTF-8 в терминале и в локали."
    ),
    # Webhooks.
    "What becomes of the orders of {} is told from now on to {}": (
        "О заказах клиента {0} теперь сообщается по адресу {1}"
    ),
    "{} (revoked, or ended: nothing is sent)": "{0} (отозван или истёк: ничего не отправляется)",
    "signs, too, until {}": "тоже подписывает до {0}",
    "Webhook {}: {*}": "Вебхук {0}: {1}",
    "Keep it now: it isn't shown again. The one before signs, too, until {}": (
        "Сохраните его сейчас: больше он не показывается. Прежний тоже подписывает до {0}"
    ),
    "switched off at {} by {}: {}": "выключен {0}, кем: {1}: {2}",
    "on; nothing was taken since {}, tries in a row: {}": (
        "включён; ничего не принято с {0}, неудачных попыток подряд: {1}"
    ),
    "Will be sent again: {}.": "Будет отправлено ещё раз: {0}.",
}

#: Why the service refused, by its reason.
REASONS: Final = {
    "INVALID_INPUT": "Неверные данные",
    "ORDER_UNKNOWN": "Такого заказа нет",
    "ACCOUNT_UNKNOWN": "Такого кабинета нет",
    "PAPER_UNKNOWN": "Такого документа у заказа нет",
    "KEY_TAKEN": "Под этим ключом уже есть заказ с другим содержанием",
    "ACCOUNT_EXISTS": "Такой кабинет уже есть",
    "WRONG_STATE": "Заказ в другом состоянии",
    "PAPER_DAMAGED": "Документ хранится повреждённым",
    "DATABASE_UNAVAILABLE": "База данных сейчас недоступна",
    "DATABASE_UNFIT": "База данных не годится для заказов",
    "OUTCOME_UNKNOWN": "Неизвестно, выполнено ли: повторите тот же вызов",
    "SERVICE_DEFECT": "Ошибка сервиса",
    "STORE_UNAVAILABLE": "Хранилище выписок сейчас недоступно",
    "NO_TOKEN": "Нужен токен доступа",
    "TOKEN_UNKNOWN": "Такого токена доступа нет",
    "TOKEN_REVOKED": "Токен доступа отозван",
    "TOKEN_ENDED": "Срок токена доступа вышел",
    "ROLE_FORBIDDEN": "Этому токену доступа это не разрешено",
    "ACCOUNT_FORBIDDEN": "Этот токен доступа для другого кабинета",
    "TOO_MANY_CALLS": "Слишком много вызовов сразу",
    "MESSAGE_TOO_LONG": "Слишком длинный запрос",
    "REQUEST_TOO_SLOW": "Запрос приходил слишком долго",
    "SAME_PERSON": "Это тот же человек, что у другого кабинета",
    "WEBHOOK_UNKNOWN": "Такого вебхука нет",
    "CASE_OUTDATED": "С тех пор что-то изменилось: посмотрите заказ ещё раз",
    "UNNAMED": "Назовите всё, что показано",
    "NUMBER_TAKEN": "Номер принадлежит другому заказу",
    "NUMBER_NOT_OURS": "Номер не относится к этому заказу",
}
