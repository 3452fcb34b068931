"""The pages of help in Russian, paragraph by paragraph: of the commands that customers and operators use."""

from __future__ import annotations

from typing import Final

HELP: Final = {
    (
        "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a server can't be reached, 6 done, but the output can't be "
        "written."
    ): (
        "Коды выхода: 0 сделано, 1 не удалось, 2 неверные параметры, 3 сервер недоступен, 6 сделано, но вывод не "
        "записать."
    ),
    "Orders of property extracts: the service, and what people do with it.": (
        "Заказ выписок ЕГРН: сервис и то, что с ним делают люди."
    ),
    (
        "Where the service asks for an access token, ORDERS_SERVICE_TOKEN has it, or a file that "
        "ORDERS_SERVICE_TOKEN_FILE names; ORDERS_SERVICE_TLS=1 speaks TLS, with the authority in "
        "ORDERS_SERVICE_TLS_CA_FILE."
    ): (
        "Если сервис спрашивает токен доступа, он в ORDERS_SERVICE_TOKEN или в файле, который называет "
        "ORDERS_SERVICE_TOKEN_FILE; с ORDERS_SERVICE_TLS=1 соединение идёт по TLS, корневой сертификат в "
        "ORDERS_SERVICE_TLS_CA_FILE."
    ),
    "Where `accounts` and `orders` find the service.": ("Где `accounts` и `orders` находят сервис."),
    "Its port, or tcp://HOST:PORT as Kubernetes sets it for a Service of that name.": (
        "Его порт или tcp://HOST:PORT, как его задаёт Kubernetes для сервиса с этим именем."
    ),
    "Show the version and exit.": ("Показать версию и выйти."),
    "Accounts of the portal: each has one worker, which orders with it.": (
        "Личные кабинеты портала: у каждого свой воркер, который заказывает через него."
    ),
    "Take new orders with the account again, whatever was in the way.": (
        "Снова принимать новые заказы через кабинет, что бы ни мешало."
    ),
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the orders service can't be reached.": (
        "Коды выхода: 0 сделано, 1 не удалось, 2 неверные параметры, 3 сервис заказов недоступен."
    ),
    "Print for machines.": ("Вывод для программ (JSON)."),
    "Add an account.": ("Добавить кабинет."),
    (
        "The password is asked for without being shown, or read from standard input where that isn't a terminal. "
        "The service stores it sealed and never gives it out."
    ): (
        "Пароль спрашивается без показа на экране или читается со стандартного ввода, если это не терминал. Сервис "
        "хранит его зашифрованным и никому не выдаёт."
    ),
    "Login at Госуслуги (phone, e-mail or СНИЛС) where it isn't USERNAME.": (
        "Логин на Госуслугах (телефон, e-mail или СНИЛС), если он не совпадает с USERNAME."
    ),
    "12 digits: what the declarant states about himself to the registry. Without it the account orders nothing.": (
        "12 цифр: что заявитель указывает о себе в реестре. Без них кабинет ничего не заказывает."
    ),
    "A free note.": ("Произвольная заметка."),
    "Take no orders with it yet.": ("Пока не принимать заказы через него."),
    "Store none: the account will use an imported session.": (
        "Не хранить пароль: кабинет будет работать через импортированную сессию."
    ),
    "Take no new orders with the account. Its own are still collected.": (
        "Не принимать новые заказы через кабинет. Его собственные всё равно будут получены."
    ),
    "Give the account a session that you logged in to with a browser.": (
        "Передать кабинету сессию, в которую вы вошли браузером."
    ),
    (
        "What a browser, an extension of it or a tool exports is told by itself. Of it only the portal's own cookies "
        "are kept; what has expired, or is of other sites, is left out, and told without its value."
    ): (
        "Что именно выгружено браузером, расширением или программой, определяется само. Сохраняются только cookie "
        "самого портала; о просроченных и чужих сообщается без их значений."
    ),
    (
        "cookies.txt, an extension's JSON, a browser's state, a HAR, a Cookie header, a request copied as cURL, or a "
        "JSON object of cookie names and values; - reads standard input. {} forgets the session."
    ): (
        "cookies.txt, JSON расширения, состояние браузера, HAR, заголовок Cookie, запрос, скопированный как cURL, или "
        "JSON-объект с именами и значениями cookie; - читает стандартный ввод. {} забывает сессию."
    ),
    "The portal: cookies of other sites are left out.": "Портал: cookie других сайтов отбрасываются.",
    "Show all accounts and how each stands.": ("Показать все кабинеты и их состояние."),
    "Change what is given and leave the rest. A new password also ends a standby that waits for one.": (
        "Изменить то, что указано, и не трогать остальное. Новый пароль снимает и простой, который его ждёт."
    ),
    "Ask for a new password, or read it from standard input.": (
        "Спросить новый пароль или прочитать его со стандартного ввода."
    ),
    "Ask for the secret of the login's one-time codes (Base32), or read it from standard input.": (
        "Спросить секрет одноразовых кодов входа (Base32) или прочитать его со стандартного ввода."
    ),
    "Login at Госуслуги; empty: the same as USERNAME.": ("Логин на Госуслугах; пусто: тот же, что USERNAME."),
    "Where the person has several at the portal: the role's oid or name; empty: the only one.": (
        "Если ролей на портале несколько: oid или название той, от которой заказывать; пусто: единственная."
    ),
    "12 digits; empty: none, and the account orders nothing.": ("12 цифр; пусто: нет, и кабинет ничего не заказывает."),
    "Show one account.": ("Показать один кабинет."),
    "Orders of extracts: submit, follow, fetch, and decide what only a person can.": (
        "Заказы выписок: оформить, следить, получить и решить то, что может решить только человек."
    ),
    "Fetch the papers of up to 1,000 orders as one ZIP, with a list of what it holds.": (
        "Получить документы до 1 000 заказов одним ZIP со списком того, что в нём есть."
    ),
    "An order that has no paper yet is told in the list, and no error.": (
        "Заказ, у которого ещё нет документа, указан в списке; это не ошибка."
    ),
    "The ZIP to write.": ("Какой ZIP записать."),
    "Replace a file that is there already.": ("Заменить файл, который уже есть."),
    "Fetch the extract of an order: a ZIP, checked against its SHA-256.": (
        "Получить выписку по заказу: ZIP, сверенный с его SHA-256."
    ),
    "An order that failed with the registry's own notice gives that notice, and says so.": (
        "Если заказ закончился уведомлением реестра, выдаётся это уведомление, и об этом говорится."
    ),
    "File or folder to write to. Default: here, under the extract's own name.": (
        "Файл или папка, куда записать. По умолчанию: сюда, под именем самой выписки."
    ),
    "Which of its papers, as `orders show` tells them.": ("Какой из документов, как их показывает `orders show`."),
    "For operators: what was put aside; it may be of another object.": (
        "Для операторов: то, что было отложено; это может быть другой объект."
    ),
    "Write orders and what their extracts say into a table, newest first.": (
        "Записать заказы и содержание их выписок в таблицу, сначала новые."
    ),
    "The file to write: .xlsx, or .csv as a Russian Excel opens it.": (
        "Какой файл записать: .xlsx или .csv, как его открывает русский Excel."
    ),
    "Only in this state; repeatable.": ("Только в этом состоянии; можно повторять."),
    "Only of this object, whatever the spelling.": ("Только по этому объекту, как бы ни был записан номер."),
    "Only of this account.": ("Только этого кабинета."),
    "Only those that wait for a person.": ("Только те, что ждут человека."),
    "Accepted on this day or later, by the local clock.": ("Приняты в этот день или позже, по местным часам."),
    "Accepted before this day.": ("Приняты раньше этого дня."),
    "End an order: it fails, and its status says what may have been paid for it.": (
        "Завершить заказ: он закончится ошибкой, и в статусе будет сказано, что могло быть оплачено."
    ),
    "From `orders show`; none where it shows none.": ("Из `orders show`; нет, если там её нет."),
    "From `orders show`. Required.": ("Из `orders show`. Обязательно."),
    "Who decides, for the history. Default: your login.": ("Кто решает, для истории. По умолчанию: ваш логин."),
    "Why, for the history.": ("Почему, для истории."),
    "Who does it, for the history. Default: your login.": ("Кто это делает, для истории. По умолчанию: ваш логин."),
    "End orders that aren't wanted any more; nothing is paid for them.": (
        "Отменить заказы, которые больше не нужны: за них ничего не платится."
    ),
    "An order of which something may have been sent isn't cancelled: it says what can be done instead. The same "
    "command may be repeated without harm.": (
        "Заказ, который уже мог быть отправлен, не отменяется: сказано, что можно сделать вместо этого. Ту же команду "
        "можно безвредно повторить."
    ),
    "Try orders again that failed or were cancelled, from where their journals stand.": (
        "Повторить заказы, которые не удались или отменены, с того места, на котором стоит их журнал."
    ),
    "What has its number is collected again, what may have been sent is looked for again, what was never sent begins "
    "anew. What could be paid twice isn't tried: it says why, and what can be done instead.": (
        "У заказа с номером документ запрашивается снова; то, что могло быть отправлено, снова ищется; то, что не было "
        "отправлено, начинается сначала. То, что могло бы быть оплачено дважды, не повторяется: сказано почему и что "
        "можно сделать вместо этого."
    ),
    "Show orders, newest first.": ("Показать заказы, сначала новые."),
    "How many at most.": ("Сколько самое большее."),
    "Go on from where the last page ended.": ("Продолжить с того места, где кончилась прошлая страница."),
    "Lift the hold of an order and decide nothing about money: it goes on from where it stands.": (
        "Снять заказ с ожидания и ничего не решать о деньгах: он идёт дальше с того места, где стоит."
    ),
    "Decide about an order that the system can't decide: look at the portal first, money depends on it.": (
        "Решить о заказе то, чего система решить не может: сначала посмотрите на портале, от этого зависят деньги."
    ),
    (
        "`orders show` prints what there is to know, and this command as it must be given. The same command may be "
        "repeated without harm; what stands elsewhere by now is refused."
    ): (
        "`orders show` печатает всё, что известно, и саму эту команду, как её надо дать. Ту же команду можно "
        "безвредно повторить; если за это время что-то изменилось, она будет отклонена."
    ),
    "It stands at the portal under this number.": ("На портале заказ стоит под этим номером."),
    "With --number: it is right, although no reading of the list showed it.": (
        "С --number: номер верен, хотя ни одно чтение списка его не показало."
    ),
    "It isn't there: it may be sent, and charged, once more.": (
        "На портале его нет: его можно отправить, и оплатить, ещё раз."
    ),
    "With --absent: this row isn't the order's; name all that are shown.": (
        "С --absent: эта строка не относится к заказу; назовите все показанные."
    ),
    "The portal's finish answered this number, and that is wrong.": (
        "Портал ответил на оплату этим номером, и это неверно."
    ),
    "Show one order and its history, and where a person may decide, what there is to know and to do.": (
        "Показать заказ и его историю, а где решает человек, всё, что известно, и что можно сделать."
    ),
    "Count the orders that were accepted in up to 366 days, as they stand now: in all, by account and by day.": (
        "Посчитать заказы, принятые за срок до 366 дней, какие они сейчас: все, по кабинетам и по дням."
    ),
    "Charges are paid calls that made an application; *not known yet* are those that may have made one.": (
        "Оплаты: платные вызовы, по которым появилась заявка; *ещё неизвестно*: по которым она могла появиться."
    ),
    "Accepted on this day or later.": ("Приняты в этот день или позже."),
    "Whose days are meant.": ("По какому часовому поясу считать дни."),
    "Order extracts: all of them are accepted, or none and it says why.": (
        "Заказать выписки: принимаются все или ни одна, и тогда сказано почему."
    ),
    (
        "The same command again orders nothing twice: run it again whenever its end wasn't seen. To order the same "
        "file or numbers once more, on purpose, give another --batch."
    ): (
        "Та же команда ещё раз ничего не заказывает дважды: повторите её, если не видели, чем она кончилась. Чтобы "
        "намеренно заказать тот же файл или номера ещё раз, дайте другой --batch."
    ),
    (
        "Exit codes: 0 accepted (with --wait: all completed), 1 refused (with --wait: one failed or waits for a "
        "person), 2 wrong usage, 3 the orders service can't be reached or its answer was lost: run the same command "
        "again, 5 accepted, but --timeout is over."
    ): (
        "Коды выхода: 0 принято (с --wait: все выполнены), 1 отказано (с --wait: какой-то не удался или ждёт "
        "человека), 2 неверные параметры, 3 сервис заказов недоступен или его ответ потерян: повторите ту же "
        "команду, 5 принято, но время --timeout вышло."
    ),
    "Cadastral number; give it several times for several orders.": (
        "Кадастровый номер; для нескольких заказов укажите несколько раз."
    ),
    "XLSX or CSV with a column of numbers, and perhaps of recipient, comment, urgency and key; see --preview.": (
        "XLSX или CSV со столбцом номеров, а также, если нужно, получателя, комментария, срочности и ключа; см. "
        "--preview."
    ),
    "The file's column of the number, by its heading or from 1.": (
        "Столбец номера в файле, по заголовку или по счёту с 1."
    ),
    "The sheet of the workbook, where several hold something.": ("Лист книги, если заполнено несколько."),
    "Of the CSV, where what was found isn't right.": ("Кодировка CSV, если определена неверно."),
    "Show what was taken for what in the file, and order nothing.": (
        "Показать, что в файле за что принято, и ничего не заказывать."
    ),
    "Write every bad row of the file here, as CSV.": ("Записать сюда все неверные строки файла, как CSV."),
    "Your own note of whom it is for; never sent to the portal.": (
        "Ваша собственная пометка, для кого заказ; на портал не передаётся."
    ),
    "Goes before ordinary orders.": ("Идёт раньше обычных заказов."),
    "Your own name for the order: the same again orders nothing twice. A file has a column for it.": (
        "Ваше собственное имя заказа: то же ещё раз ничего не заказывает дважды. В файле для него есть столбец."
    ),
    (
        "Your own name for all of it, part of the key of each order that has none. Another name orders the same "
        "objects once more."
    ): (
        "Ваше собственное имя для всего вместе, часть ключа каждого заказа без своего. Другое имя заказывает те же "
        "объекты ещё раз."
    ),
    "Follow the orders until each is final or waits for a person.": (
        "Следить за заказами, пока каждый не закончится или не станет ждать человека."
    ),
    "Stop following after this many seconds.": ("Перестать следить через столько секунд."),
    "Show what the extract of an order says, in short. The extract itself is what counts.": (
        "Показать кратко, что говорится в выписке. Верна сама выписка."
    ),
    "Serve orders by gRPC and REST, and keep the queue in step with the database, until SIGTERM or Ctrl-C.": (
        "Обслуживать заказы по gRPC и REST и держать очередь в согласии с базой, до SIGTERM или Ctrl-C."
    ),
    "Bring the database's schema up to date.": ("Обновить схему базы данных."),
    "Files of papers: where they lie, moving them, removing old ones, checking them.": (
        "Файлы документов: где лежат, перенос, удаление старых, проверка."
    ),
    "Access tokens: who may call the service, and what he may do.": (
        "Токены доступа: кто может обращаться к сервису и что ему можно."
    ),
    "What clients were told of their orders, and what they weren't.": (
        "О чём клиентам сообщили по их заказам и о чём нет."
    ),
    "Show who changed what, why, from where, and what it changed; newest first.": (
        "Показать, кто что изменил, почему, откуда и как было; сначала новое."
    ),
    "Run the whole system on this machine: servers, a simulated portal, the service, a worker per account.": (
        "Запустить всю систему на этой машине: серверы, имитацию портала, сервис и по воркеру на кабинет."
    ),
    "Show this message and exit.": ("Показать эту справку и выйти."),
    "In which language people are told; statuses are Russian in both.": (
        "На каком языке говорить с людьми; статусы русские в обоих."
    ),
    "Show what becomes of orders while it happens: of all that you may see, or of those that are named.": (
        "Показывать, что происходит с заказами, по мере того как это происходит: со всеми, которые вам видны, или с "
        "названными."
    ),
    (
        "Each step is shown once and none is left out, also where the service was away in between. With --json each "
        "is one line; give its event_id as --after to go on there another time."
    ): (
        "Каждый шаг показан один раз, и ни один не пропущен, даже если сервис был какое-то время недоступен. С "
        "--json каждый занимает одну строку; дайте его event_id как --after, чтобы в другой раз продолжить с него."
    ),
    "Begin after this event, 0: with the first there is. Default: now.": (
        "Начать после этого события, 0: с самого первого. По умолчанию: сейчас."
    ),
    "End after so many events. Default: when you say so (Ctrl-C).": (
        "Закончить после стольких событий. По умолчанию: когда вы скажете (Ctrl-C)."
    ),
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 PostgreSQL can't be reached.": (
        "Коды выхода: 0 сделано, 1 не удалось, 2 неверные параметры, 3 PostgreSQL недоступен."
    ),
    "Show notifications, newest first.": "Показать уведомления, сначала новые.",
    "Of this order.": "По этому заказу.",
    "Of the webhook of this token.": "Для вебхука этого токена.",
    "In this state; repeatable.": "В этом состоянии; можно повторять.",
    "Older than this: for the next page.": "Старше этого: для следующей страницы.",
    "Send notifications again that are over: those of these IDs, of an order, or in a state.": (
        "Отправить ещё раз законченные уведомления: с этими ID, по заказу или в состоянии."
    ),
    (
        "Each goes under its own `webhook-id` once more, so a receiver knows that it is a repeat. The order in "
        "it is as it stands now. What belongs to a webhook that is off stays as it is."
    ): (
        "Каждое идёт ещё раз под своим `webhook-id`, так что получатель узнаёт повтор. Заказ в нём такой, как "
        "сейчас. То, что относится к выключенному вебхуку, остаётся как есть."
    ),
    "Of the last so many days.": "За последние столько дней.",
    "Tell a client of each change of its orders' states, by a signed POST to an address of its own.": (
        "Сообщать клиенту о каждом изменении состояния его заказов подписанным POST-запросом на его адрес."
    ),
    (
        "The address belongs to a client's token, and ends with it. What is sent, and how a receiver checks the "
        "signature: docs/webhooks.md. What was sent and what wasn't: `orders-service webhooks list`."
    ): (
        "Адрес принадлежит токену клиента и кончается вместе с ним. Что отправляется и как получатель проверяет "
        "подпись: docs/webhooks.md. Что отправлено и что нет: `orders-service webhooks list`."
    ),
    "Give the client's token NAME an address, or another one, and switch it on.": (
        "Дать токену клиента NAME адрес или другой адрес и включить вебхук."
    ),
    (
        "The secret that signs is made with the first address and shown this once; another address keeps it. "
        "Sealed with ROSREESTR_CRYPTO_SECRET, which this command needs as the service does."
    ): (
        "Секрет для подписи создаётся с первым адресом и показывается один раз; с другим адресом он остаётся "
        "прежним. Он запечатан секретом ROSREESTR_CRYPTO_SECRET, который нужен этой команде, как и сервису."
    ),
    "Where to send: https, to an address outside of the network.": "Куда отправлять: https, на адрес вне сети.",
    (
        "The address may be inside the network, and then also http. Addresses local to a link, and those of "
        "clouds' metadata, are never reached."
    ): (
        "Адрес может быть внутри сети, тогда и по http. На локальные адреса канала и адреса метаданных облаков "
        "не отправляется никогда."
    ),
    "Show where the client is told, and how its address does; never the secret.": (
        "Показать, куда сообщается клиенту и как отвечает его адрес; секрет не показывается никогда."
    ),
    "Tell the client nothing any more. What waited is given up; `on` switches it on again.": (
        "Больше ничего не сообщать клиенту. От того, что ждало, отказываются; `on` включает снова."
    ),
    "Why, for the audit.": "Почему, для журнала действий.",
    "Tell the client again, of what happens from now on: `webhooks resend` sends what was given up.": (
        "Снова сообщать клиенту о том, что происходит с этой минуты: `webhooks resend` отправит то, от чего отказались."
    ),
    "Make another secret, and show it. The one before signs beside it for a day.": (
        "Создать другой секрет и показать его. Прежний подписывает рядом с ним ещё сутки."
    ),
}
